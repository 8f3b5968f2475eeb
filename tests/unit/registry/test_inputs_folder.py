from datetime import UTC, datetime
from pathlib import Path

import pytest

from assets.registry.folder import FolderSource, read_inputs, validate
from assets.registry.problems import InputProblems
from assets.registry.sources import Source, Window

NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
YAML = "version: 1\nportfolios:\n- {id: p, user_id: u, accounts: [{id: a, kind: manual}]}\n"
TRANSACTIONS = "portfolio,account,executed_at,type,instrument,quantity\np,a,2024-01-01,DEPOSIT,fiat:USD,1\n"
PRICES = "instrument,priced_at,price,currency\n"


def write(folder: Path, **files: str) -> Path:
    for name, text in {"portfolios.yaml": YAML, **files}.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder


def test_a_folder_is_read_as_a_whole(tmp_path: Path) -> None:
    folder = write(
        tmp_path, **{"transactions/b.csv": TRANSACTIONS, "transactions/A.CSV": TRANSACTIONS, "prices/p.csv": PRICES}
    )
    inputs = read_inputs(folder, NOW)
    assert [batch.path for batch in inputs.batches] == ["transactions/A.CSV", "transactions/b.csv", "prices/p.csv"]
    source: Source = FolderSource(inputs)
    assert list(source.fetch(Window())) == list(inputs.batches)


def test_all_problems_of_all_files_come_at_once(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        **{
            "portfolios.yaml": YAML.replace("}]}", "}], cash: none}"),
            "transactions/t.csv": TRANSACTIONS.replace(",1\n", ",x\n").replace("p,a", "p,z"),
            "prices/p.csv": PRICES + "crypto:BTC,2024-01-01,abc,USD\n",
            "balances/b.csv": "portfolio\n",
            "instruments.csv": "instrument\nflat\n",
            "scenarios.yaml": "version: 2\nscenarios: []\n",
            "risk_scores.yaml": "version: 2\nscores: []\n",
        },
    )
    with pytest.raises(InputProblems) as caught:
        read_inputs(folder, NOW)
    files = [problem.file for problem in caught.value.problems]
    assert set(files) == {"portfolios.yaml", "transactions/t.csv", "prices/p.csv", "balances/b.csv", "instruments.csv",
        "scenarios.yaml", "risk_scores.yaml",
    }  # fmt: skip
    assert files.count("transactions/t.csv") == 2
    assert [str(problem) for problem in validate(folder, NOW)] == str(caught.value).split("\n")


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("transactions.csv", "CSV files only as"),
        ("transaction/t.csv", "did you mean transactions?"),
        ("Prices/t.csv", "did you mean prices?"),
        ("transactions/2024/t.csv", "transactions/2024/t.csv: expected CSV files only as"),
        ("transactions/trades.XLSX", "transactions/trades.XLSX: expected CSV files only as"),
    ],
)
def test_a_misplaced_file_is_not_passed_over(tmp_path: Path, name: str, says: str) -> None:
    problems = validate(write(tmp_path, **{name: TRANSACTIONS}), NOW)
    assert len(problems) == 1
    assert says in str(problems[0])


def test_other_files_may_lie_there(tmp_path: Path) -> None:
    folder = write(
        tmp_path, **{"README.md": "x", ".hidden.csv": "x", "transactions/._x.csv": "x", "archive/x.csv": "x"}
    )
    assert validate(folder, NOW) == []


def test_a_missing_folder_or_file(tmp_path: Path) -> None:
    assert "check the path" in str(validate(tmp_path / "none", NOW)[0])
    (tmp_path / "portfolios.yml").write_text(YAML)
    assert "rename portfolios.yml" in str(validate(tmp_path, NOW)[0])


def test_custom_instruments_of_portfolios_are_declared(tmp_path: Path) -> None:
    folder = write(tmp_path, **{"portfolios.yaml": YAML.replace("}]}", "}], benchmark: custom:flat}")})
    assert [problem.value for problem in validate(folder, NOW)] == ["custom:flat"]
    assert (
        validate(
            write(
                folder,
                **{
                    "instruments.csv": "instrument,quote_currency\ncustom:flat,EUR\n",
                    "portfolios.yaml": YAML.replace("}]}", "}], benchmark: custom:flat}"),
                },
            ),
            NOW,
        )
        == []
    )


def test_a_group_limit_names_a_group_of_the_product_or_of_instruments_csv(tmp_path: Path) -> None:
    policy = "{objective: hrp, group_limits: [{by: protocol, group: maple, max: 0.4}]}"
    portfolios = YAML.replace("}]}", "}], policy: " + policy + "}")
    (problem,) = validate(write(tmp_path, **{"portfolios.yaml": portfolios}), NOW)
    assert (problem.file, problem.line, problem.value) == ("portfolios.yaml", 3, "maple")
    assert validate(write(tmp_path, **{"instruments.csv": "instrument,protocol\ncrypto:X,maple\n"}), NOW) == []


def test_a_broken_portfolios_file_does_not_make_every_row_wrong(tmp_path: Path) -> None:
    folder = write(tmp_path, **{"portfolios.yaml": "version: [", "transactions/t.csv": TRANSACTIONS})
    assert {problem.file for problem in validate(folder, NOW)} == {"portfolios.yaml"}


def test_the_fingerprint_is_of_every_file(tmp_path: Path) -> None:
    seen = set()
    for files in (
        {},
        {"instruments.csv": "instrument\n"},
        {"transactions/t.csv": TRANSACTIONS},
        {"transactions/t.csv": TRANSACTIONS + "\n"},
        {"portfolios.yaml": YAML + "\n"},
    ):
        first = read_inputs(write(tmp_path, **files), NOW).fingerprint
        assert first == read_inputs(tmp_path, NOW).fingerprint
        seen.add(first)
    assert len(seen) == 5
