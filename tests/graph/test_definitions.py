"""The asset graph holds together: no dangling key, no hole in a job, every gate where it belongs."""

import json
from pathlib import Path

import dagster as dg
import pytest

from assets import keys
from assets.warehouse import dbt
from orchestration.automation import MARKET_JOB, SCHEDULES
from orchestration.definitions import build_definitions
from orchestration.maintenance import MAINTENANCE_JOB
from quality.gates import GATES

SNAPSHOT = Path(__file__).with_name("asset_specs.json")


@pytest.fixture(scope="module")
def definitions() -> dg.Definitions:
    dbt.prepare()
    return build_definitions()


@pytest.fixture(scope="module")
def graph(definitions: dg.Definitions):
    return definitions.resolve_asset_graph()


def test_no_key_is_invented(graph) -> None:
    """A mistyped dependency becomes an external asset without an error: there must be none."""
    external = {key.to_user_string() for key in graph.external_asset_keys}
    assert external == set()


def test_jobs_have_no_hole(definitions, graph) -> None:
    """A selection with x and z but not y between them would let z run past y's gates."""
    every = {key for key in graph.materializable_asset_keys}
    for name in SCHEDULES:
        job = definitions.resolve_job_def(name)
        selected = set(job.asset_layer.selected_asset_keys)
        if name == MARKET_JOB:
            assert selected == {*(keys.market(*table) for table in keys.MARKET_TABLES), keys.CORRELATION_WATCH}
            assert not _between(graph, selected) - selected
            continue
        if name == MAINTENANCE_JOB:
            assert selected == set()
            continue
        assert selected == every
        checked = (
            {check.name for check in job.asset_layer.selected_asset_check_keys}
            if hasattr(job.asset_layer, "selected_asset_check_keys")
            else {check.name for check in graph.asset_check_keys}
        )
        assert {gate.name for gate in GATES} <= checked


def _between(graph, selected: set[dg.AssetKey]) -> set[dg.AssetKey]:
    """What comes after one of the selected assets and before another."""

    def reached(step: str) -> set[dg.AssetKey]:
        found, waiting = set(), list(selected)
        while waiting:
            for key in getattr(graph.get(waiting.pop()), step):
                if key not in found:
                    found.add(key)
                    waiting.append(key)
        return found

    return reached("parent_keys") & reached("child_keys")


def test_every_run_gate_blocks(graph) -> None:
    blocking = {
        graph.get(key).key.name if False else key.name
        for key in graph.asset_check_keys
        if graph.get_check_spec(key).blocking
    }
    must_block = {gate.name for gate in GATES if gate.severity == "error"}
    assert must_block <= blocking
    assert "some_portfolio_may_publish" in blocking


def test_publication_comes_after_every_mart(graph) -> None:
    published = keys.PUBLISHED
    upstream = graph.get(published).parent_keys
    marts = {key for key in graph.materializable_asset_keys if key.path[0] == "build"}
    assert marts <= set(upstream)
    assert len(marts) >= 20


def test_every_asset_is_described(graph) -> None:
    for key in graph.materializable_asset_keys:
        node = graph.get(key)
        assert node.description, f"{key.to_user_string()} has no description"
        assert node.group_name != "default", f"{key.to_user_string()} has no group"
        assert node.owners, f"{key.to_user_string()} has no owner"


def test_graph_is_as_recorded(graph) -> None:
    """A changed graph shows as a diff of asset_specs.json; record it with `python -m tests.graph.record`."""
    assert describe(graph) == json.loads(SNAPSHOT.read_text())


def describe(graph) -> dict[str, dict[str, object]]:
    """Every asset with its group, kinds, dependencies and checks, in plain words."""
    checks: dict[str, list[str]] = {}
    for check in graph.asset_check_keys:
        checks.setdefault(check.asset_key.to_user_string(), []).append(check.name)
    return {
        key.to_user_string(): {
            "group": graph.get(key).group_name,
            "kinds": sorted(graph.get(key).kinds or ()),
            "upstream": sorted(parent.to_user_string() for parent in graph.get(key).parent_keys),
            "checks": sorted(checks.get(key.to_user_string(), [])),
        }
        for key in sorted(graph.materializable_asset_keys)
    }
