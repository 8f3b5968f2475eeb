"""Each format against its golden sample: the rows to the letter, every other line with its reason, nothing lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from assets.importers.detect import detect
from assets.importers.formats import FORMATS
from assets.importers.source_files import read_source
from assets.importers.symbols import ReviewedSymbols
from tests.unit.importers.samples import SAMPLES, data_lines, inputs_folder, planned, told

NAMES = sorted(folder.name for folder in SAMPLES.iterdir() if (folder / "expected.txt").exists())


def sample(name: str) -> Path:
    (path,) = (SAMPLES / name).glob("export.*")
    return path


@pytest.mark.parametrize("name", NAMES)
def test_rows_rejects_and_ignored_lines_are_as_expected(name: str, tmp_path: Path) -> None:
    (plan,) = planned(inputs_folder(tmp_path), sample(name))
    assert "".join(plan.lines()) == (SAMPLES / name / "expected.csv").read_text()
    assert told(plan) == (SAMPLES / name / "expected.txt").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_every_line_is_in_exactly_one_place(name: str, tmp_path: Path) -> None:
    source = read_source(sample(name))
    known = detect(source, FORMATS)
    parsed = known.parse(source, ReviewedSymbols())
    lines = [row.line for row in parsed.rows] + [reject.line for reject in parsed.rejects] + list(parsed.ignored)
    assert sorted(lines) == data_lines(source, known.unit)

    (plan,) = planned(inputs_folder(tmp_path), sample(name))
    lines = [row.line for row in plan.rows] + [known.line for known in plan.known]
    lines += [reject.line for reject in plan.rejects] + list(plan.ignored) + plan.elsewhere
    assert sorted(lines) == data_lines(source, known.unit)


EXPORTS = sorted(
    path
    for path in SAMPLES.glob("*/*")
    if not path.name.startswith("expected.") and not path.name.endswith((".rows.csv", ".rest.csv"))
)


def test_every_format_has_a_sample() -> None:
    found = {detect(read_source(path), FORMATS).name for path in EXPORTS}
    assert found == {known.name for known in FORMATS}


@pytest.mark.parametrize("path", EXPORTS, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_every_sample_can_be_imported(path: Path, tmp_path: Path) -> None:
    """With the reviewed symbols and the rules of the canonical ledger, as the command does it."""
    (plan,) = planned(inputs_folder(tmp_path), path)
    assert plan.rows
    assert all(values["external_id"] for values in plan.values())


def test_names_and_versions_of_formats_are_unique() -> None:
    assert len({(known.name, known.version) for known in FORMATS}) == len(FORMATS)


def test_both_languages_of_portfolio_performance_give_one_id(tmp_path: Path) -> None:
    folder = inputs_folder(tmp_path)
    (english,) = planned(folder, sample("portfolio-performance"))
    (german,) = planned(folder, sample("portfolio-performance-de"))
    ids = [values["external_id"] for values in english.values(2)]
    assert [values["external_id"] for values in german.values(2)] == ids
