"""The command as people type it: what it prints, what it writes, how it ends."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from orchestration.command_line import app
from tests.unit.importers.samples import SAMPLES, inputs_folder

SAMPLE = SAMPLES / "portfolio-performance-de" / "export.csv"


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    return inputs_folder(tmp_path / "inputs")


def imported(inputs: Path, *arguments: str | Path, portfolio: str = "p", account: str = "a") -> Result:
    options = ["--portfolio", portfolio, "--account", account, "--inputs", str(inputs)]
    return CliRunner().invoke(app, ["import", *map(str, arguments), *options])


def written(inputs: Path) -> list[str]:
    return sorted(path.name for path in inputs.rglob("*.csv"))


def without_bad_lines(folder: Path) -> Path:
    path = folder / "good.csv"
    path.write_text("".join(line for line in SAMPLE.read_text().splitlines(keepends=True) if "-100" not in line))
    return path


def test_all_rows_taken(inputs: Path, tmp_path: Path) -> None:
    path = without_bad_lines(tmp_path)
    shown = imported(inputs, path, "--dry-run")
    assert shown.exit_code == 0
    assert "Portfolio Performance CSV export (portfolio-performance, version 2018)" in shown.output
    assert "15 new, 0 rejected" in shown.output
    assert "equity:IE00B4L5Y983" in shown.output
    assert "dry run: nothing was written; 15 rows would be" in shown.output
    assert written(inputs) == []

    done = imported(inputs, path)
    assert done.exit_code == 0
    assert len(written(inputs)) == 1

    again = imported(inputs, path)
    assert again.exit_code == 0
    assert "0 new, 15 already there" in again.output
    assert "nothing new" in again.output
    assert len(written(inputs)) == 1


def test_rejects_hold_the_whole_import_unless_accepted(inputs: Path) -> None:
    other = SAMPLES / "canonical" / "expected.csv"
    refused = imported(inputs, other, SAMPLE)
    assert refused.exit_code == 2
    assert 'rejected line 16, column Wert: "-100.50": expected a number such as 1.234,56' in refused.output
    assert "2 rejected: nothing was written" in refused.output
    assert written(inputs) == []

    accepted = imported(inputs, other, SAMPLE, "--accept-rejects")
    assert accepted.exit_code == 0
    assert len(written(inputs)) == 2
    assert "portfolios.yaml" not in accepted.output


def test_lines_ignored_for_one_reason_are_told_together(inputs: Path) -> None:
    shown = imported(inputs, SAMPLES / "kraken" / "ledgers.csv", "--dry-run").output
    assert shown.count("into one trade") == 1
    assert "ignored line 5, 7, 9" in shown


def test_nothing_but_rejects(inputs: Path, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    path.write_text("executed_at,type,instrument,quantity\n2024-01-01,BUY,SPY,1\n")
    assert imported(inputs, path, "--accept-rejects").exit_code == 2
    assert written(inputs) == []


@pytest.mark.parametrize(
    ("arguments", "options", "says"),
    [
        (["nowhere.csv"], {}, "nowhere.csv cannot be read"),
        ([SAMPLES / "README.md"], {}, "Known formats: canonical"),
        ([SAMPLE, "--format", "kraken-legders"], {}, "no such format"),
        ([SAMPLE, "--map", "BTC"], {}, "expected SYMBOL=INSTRUMENT"),
        ([SAMPLE], {"portfolio": "q"}, "- id: q"),
        ([SAMPLE], {"account": "c"}, "{id: c, kind: manual}"),
    ],
)
def test_what_cannot_begin(inputs: Path, arguments: list[str | Path], options: dict[str, str], says: str) -> None:
    done = imported(inputs, *arguments, **options)
    assert done.exit_code == 2
    assert says in done.output
    assert written(inputs) == []


def test_a_folder_with_problems(inputs: Path) -> None:
    (inputs / "instruments.csv").write_text("nothing\n")
    done = imported(inputs, SAMPLE)
    assert done.exit_code == 2
    assert "instruments.csv:1" in done.output
    assert "mend them before importing" in done.output
