"""The data dictionary says what the models' YAML and the views' comments say today."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

from assets.warehouse import dbt

SCRIPT = Path(__file__).resolve().parents[2] / "docs" / "build_data_dictionary.py"


@pytest.fixture(scope="module")
def dictionary() -> ModuleType:
    spec = importlib.util.spec_from_file_location("build_data_dictionary", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_page_is_up_to_date(dictionary: ModuleType) -> None:
    written = dictionary.PAGE.read_text(encoding="utf-8")
    assert written == dictionary.build(), "run: .venv/bin/python docs/build_data_dictionary.py"


def test_every_mart_and_every_view_has_its_section(dictionary: ModuleType) -> None:
    page = dictionary.build()
    nodes = json.loads(dbt.prepare().read_text(encoding="utf-8"))["nodes"].values()
    marts = {n["name"]: n for n in nodes if n["resource_type"] == "model" and n["schema"] == "build"}
    assert len(marts) > 15
    for name, node in marts.items():
        section = page.split(f"### marts.{name}\n", 1)[1].split("\n### ", 1)[0]
        assert [line.split("`")[1] for line in section.splitlines() if line.startswith("| `")] == list(node["columns"])
    for name in (
        "marts.holdings_daily",
        "marts.snapshot_breakdowns",
        "marts.performance_between",
        "api.portfolio_snapshots",
    ):
        assert f"### {name}" in page


def test_a_view_without_words_is_refused(
    dictionary: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "silent.sql").write_text("create or replace view marts.silent as select 1;\n")
    monkeypatch.setattr(dictionary, "READING", tmp_path)
    with pytest.raises(ValueError, match=r"marts\.silent"):
        dictionary.build()
