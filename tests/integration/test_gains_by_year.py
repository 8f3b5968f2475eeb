"""The tax view: classes and sums by hand, that they tie to realized_gains, and the CSV files of it."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.integration.test_command_line import holdfast
from tests.pipeline_runs import one, portfolio, rows, run, write_inputs

PORTFOLIOS = [portfolio("fifo", cash="implicit"), portfolio("acb", cash="implicit", cost_basis="ACB")]
TRANSACTIONS = [
    "fifo,main,2022-01-10,BUY,etf:SPY,10,100,,USD,,,,,b1",
    "fifo,main,2022-06-01,BUY,etf:SPY,10,120,,USD,6,USD,,,b2",
    # 10 of the first lot, on the day after its anniversary: long; 2 of the second: short, with a loss
    "fifo,main,2023-01-11,SELL,etf:SPY,12,110,,USD,12,USD,,,s1",
    # on the anniversary itself: still short
    "fifo,main,2023-06-01,SELL,etf:SPY,1,130,,USD,,,,,s2",
    # the year turns by UTC: half past midnight in Berlin is still 2023
    "fifo,main,2024-01-01T00:30:00+01:00,SELL,etf:SPY,1,140,,USD,,,,,s3",
    "fifo,main,2024-02-01,SELL,etf:SPY,6,90,,USD,,,,,s4",
    # never bought
    "fifo,main,2024-03-01,SELL,crypto:BTC,1,500,,USD,,,,,s5",
    "acb,main,2022-01-10,BUY,etf:SPY,3,100,,USD,,,,,b3",
    "acb,main,2024-01-15,SELL,etf:SPY,1,130,,USD,,,,,s6",
    # there is no rate of the franc and no other price: the gain is unknown
    "acb,main,2022-01-10,DEPOSIT,crypto:XYZ,1,,,,,,,,d1",
    "acb,main,2024-01-20,SELL,crypto:XYZ,1,130,,CHF,,,,,s7",
]
PRICES = ["etf:SPY,2022-01-10,100,USD", "crypto:BTC,2024-03-01,500,USD"]
MEASURES = ("quantity", "proceeds_base", "cost_base", "fee_base", "gain_base", "gain_currency_base")


@pytest.fixture(scope="module")
def url(module_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder: Path = tmp_path_factory.mktemp("gains")
    inputs = write_inputs(folder / "inputs", PORTFOLIOS, TRANSACTIONS, PRICES)
    outcome = run(inputs, module_database_url, folder / "home", as_of="2024-03-31")
    assert outcome.summary["held_portfolios"] == [], outcome.messages
    return module_database_url


def test_classes_and_sums_are_those_by_hand(url: str) -> None:
    found = rows(
        url,
        "select portfolio_id, disposal_year, holding_period, instrument_id, asset_class, disposals, quantity, proceeds_base,"
        " cost_base, fee_base, gain_base, profit_base, loss_base, missing_acquisitions, unknown_gains"
        " from marts.gains_by_year order by 1, 2, 3, 4",
    )
    # the second lot cost 10 x 120 + 6 = 120.60 each
    assert found == [
        ("acb", 2024, "unknown", "crypto:XYZ", "crypto", 1, 1, None, None, 0, None, None, None, 0, 1),
        ("acb", 2024, "unknown", "etf:SPY", "etf", 1, 1, 130, 100, 0, 30, 30, 0, 0, 0),
        ("fifo", 2023, "long", "etf:SPY", "etf", 2, 11, 1240, Decimal("1120.6"), 10, Decimal("109.4"), Decimal("109.4"), 0, 0, 0),
        ("fifo", 2023, "short", "etf:SPY", "etf", 2, 3, 350, Decimal("361.8"), 2, Decimal("-13.8"), Decimal("9.4"), Decimal("-23.2"), 0, 0),
        ("fifo", 2024, "long", "etf:SPY", "etf", 1, 6, 540, Decimal("723.6"), 0, Decimal("-183.6"), 0, Decimal("-183.6"), 0, 0),
        ("fifo", 2024, "unknown", "crypto:BTC", "crypto", 1, 1, 500, 0, 0, 500, 500, 0, 1, 0),
    ]  # fmt: skip


def test_the_sums_tie_to_the_disposals(url: str) -> None:
    sums = ", ".join(f"coalesce(sum({name}), 0)" for name in MEASURES)
    by_portfolio = f"select portfolio_id, {sums} from marts.%s group by 1 order by 1"
    assert rows(url, by_portfolio % "gains_by_year") == rows(url, by_portfolio % "realized_gains")
    assert one(url, "select count(*) from marts.gains_by_year where gain_base <> profit_base + loss_base") == 0
    assert one(url, "select sum(missing_acquisitions) from marts.gains_by_year") == one(
        url, "select count(*) from marts.realized_gains where is_missing_acquisition"
    )


def export(url: str, home: Path, *arguments: str) -> list[dict[str, Any]]:
    done = holdfast("export", "gains", *arguments, home=home, HOLDFAST_DATABASE_URL=url)
    assert done.returncode == 0, done.stderr
    return list(csv.DictReader(io.StringIO(done.stdout)))


def test_the_files_hold_what_the_marts_hold(url: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    lots = export(url, home, "--year", "2023", "--portfolio", "fifo")
    assert [(row["disposed_at"], row["holding_period"], Decimal(row["quantity"])) for row in lots] == [
        ("2023-01-11T00:00:00Z", "long", 10), ("2023-01-11T00:00:00Z", "short", 2),
        ("2023-06-01T00:00:00Z", "short", 1), ("2023-12-31T23:30:00Z", "long", 1),
    ]  # fmt: skip
    by_year = export(url, home, "--year", "2023", "--by-year")
    assert {row["disposal_year"] for row in by_year} == {"2023"}
    for measure in ("gain_base", "proceeds_base", "cost_base", "fee_base"):
        assert sum(Decimal(row[measure]) for row in lots) == sum(Decimal(row[measure]) for row in by_year)
    assert len(export(url, home)) == one(url, "select count(*) from marts.realized_gains")
    # unknown is empty, not zero
    [unknown] = [row for row in export(url, home, "--portfolio", "acb") if not row["gain_base"]]
    assert unknown["proceeds_base"] == ""
    assert export(url, home, "--year", "1999") == []


def test_a_file_is_written_whole_or_left_alone(url: str, tmp_path: Path) -> None:
    home, file = tmp_path / "home", tmp_path / "gains.csv"
    done = holdfast("export", "gains", "--to", str(file), home=home, HOLDFAST_DATABASE_URL=url)
    assert done.returncode == 0, done.stderr
    assert "8 rows" in done.stdout
    written = file.read_text()
    refused = holdfast(
        "export", "gains", "--portfolio", "nobody", "--to", str(file), home=home, HOLDFAST_DATABASE_URL=url
    )
    assert refused.returncode == 1
    assert refused.stderr.startswith("holdfast: portfolio 'nobody' is not published; published are: acb, fifo")
    assert [path.name for path in tmp_path.glob("gains*")] == ["gains.csv"]
    assert file.read_text() == written


def test_before_the_first_run_the_command_says_what_to_do(database_url: str, tmp_path: Path) -> None:
    done = holdfast("export", "gains", home=tmp_path / "home", HOLDFAST_DATABASE_URL=database_url)
    assert done.returncode == 1
    assert "holdfast run" in done.stderr
