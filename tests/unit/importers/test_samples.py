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
    assert plan.text == (SAMPLES / name / "expected.csv").read_text()
    assert told(plan) == (SAMPLES / name / "expected.txt").read_text()


@pytest.mark.parametrize("name", NAMES)
def test_every_line_is_in_exactly_one_place(name: str, tmp_path: Path) -> None:
    source = read_source(sample(name))
    known = detect(source, FORMATS)
    parsed = known.parse(source, ReviewedSymbols())
    lines = [row.line for row in parsed.rows] + [reject.line for reject in parsed.rejects] + list(parsed.ignored)
    assert sorted(lines) == data_lines(source, known.unit)

    (plan,) = planned(inputs_folder(tmp_path), sample(name))
    lines = [line for line, _ in plan.rows] + [known.line for known in plan.known]
    lines += [reject.line for reject in plan.rejects] + list(plan.ignored) + plan.elsewhere
    assert sorted(lines) == data_lines(source, known.unit)


def test_every_format_has_a_sample() -> None:
    found = {detect(read_source(sample(name)), FORMATS).name for name in NAMES}
    assert found == {known.name for known in FORMATS}


def test_names_and_versions_of_formats_are_unique() -> None:
    assert len({(known.name, known.version) for known in FORMATS}) == len(FORMATS)


def test_both_languages_of_portfolio_performance_give_one_id(tmp_path: Path) -> None:
    folder = inputs_folder(tmp_path)
    (english,) = planned(folder, sample("portfolio-performance"))
    (german,) = planned(folder, sample("portfolio-performance-de"))
    ids = [dict(values)["external_id"] for _, values in english.rows[:2]]
    assert [dict(values)["external_id"] for _, values in german.rows[:2]] == ids
