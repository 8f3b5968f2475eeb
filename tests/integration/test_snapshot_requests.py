"""Who asks for a snapshot, and who starts a run for it: `holdfast snapshot` and the sensor of requests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from typer.testing import CliRunner

from assets.publication.runs import newest_request, request_snapshots
from assets.warehouse.database import Connection, connect
from orchestration import pipeline
from orchestration.command_line import app
from orchestration.definitions import defs
from orchestration.outcome import Outcome


@pytest.fixture
def conn(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    """Portfolios p and q, and one that is gone, as an application wrote them."""
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", database_url)
    monkeypatch.setenv("HOLDFAST_HOME", str(tmp_path))
    monkeypatch.delenv("HOLDFAST_INPUTS", raising=False)
    with connect(database_url, autocommit=True) as connection:
        connection.execute("insert into registry.users values ('u')")
        connection.execute(
            "insert into registry.portfolios (id, user_id, name, base_currency, is_active)"
            " values ('p', 'u', 'p', 'USD', true), ('q', 'u', 'q', 'USD', true), ('old', 'u', 'old', 'USD', false)"
        )
        yield connection


@pytest.fixture
def runs_asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the command hands to the pipeline, which does not run here (tests/integration/test_wallets.py runs it)."""
    asked: list[tuple[Any, ...]] = []

    def held(settings: object, url: str, inputs: str | None, as_of: str | None, *, is_watched: bool) -> Outcome:
        asked.append((inputs, as_of, is_watched))
        return Outcome({"status": "held"}, ("a portfolio is held",))

    monkeypatch.setattr(pipeline, "run_pipeline", held)
    return asked


def waiting(conn: Connection) -> list[str]:
    return [row[0] for row in conn.execute("select portfolio_id from registry.snapshot_requests order by request_id")]


def test_the_command_asks_and_runs_at_once(conn: Connection, runs_asked: list[tuple[Any, ...]], tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["snapshot", "--portfolio", "p", "--portfolio", "p"])
    assert (done.exit_code, json.loads(done.stdout.splitlines()[-1])) == (3, {"status": "held"})
    assert "a portfolio is held" in done.stderr
    assert (waiting(conn), runs_asked) == (["p"], [(None, None, True)])

    assert CliRunner().invoke(app, ["snapshot", "--inputs", str(tmp_path)]).exit_code == 3
    # all that are active, over the folder that was named
    assert waiting(conn) == ["p", "p", "q"]
    assert runs_asked[1:] == [(str(tmp_path.resolve()), None, True)]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--portfolio", "p", "--portfolio", "nobody"], 1, "no active portfolio nobody"),
        (["--portfolio", "old"], 1, "no active portfolio old"),
        (["--inputs", "nowhere"], 2, "nowhere is no folder"),
    ],
)
def test_a_mistake_asks_for_nothing(
    conn: Connection, runs_asked: list[tuple[Any, ...]], arguments: list[str], code: int, said: str
) -> None:
    failed = CliRunner().invoke(app, ["snapshot", *arguments])
    assert failed.exit_code == code
    assert said in failed.stderr
    assert (waiting(conn), runs_asked) == ([], [])


@pytest.fixture
def look() -> Callable[[], list[dg.RunRequest | dg.SkipReason]]:
    sensor = defs.get_sensor_def("requested_snapshots")

    def evaluate() -> list[dg.RunRequest | dg.SkipReason]:
        return list(sensor(dg.build_sensor_context()))  # type: ignore[call-overload]

    return evaluate


def test_the_sensor_starts_one_run_for_all_that_wait(
    conn: Connection, look: Callable[[], list[dg.RunRequest | dg.SkipReason]]
) -> None:
    assert isinstance(look()[0], dg.SkipReason)
    request_snapshots(conn, ["p", "q"])
    newest = newest_request(conn)
    [asked] = look()
    assert isinstance(asked, dg.RunRequest)
    assert asked.run_key == f"snapshot-{newest}"
    # until it is answered it is the same run; one more who waits is another
    assert [asked.run_key] == [one.run_key for one in look() if isinstance(one, dg.RunRequest)]
    request_snapshots(conn, ["p"])
    [later] = look()
    assert isinstance(later, dg.RunRequest)
    assert later.run_key != asked.run_key
    conn.execute("update registry.snapshot_requests set published_at = now()")
    assert isinstance(look()[0], dg.SkipReason)
    # of a portfolio that nobody knows no run can make one
    conn.execute("insert into registry.snapshot_requests (portfolio_id) values ('nobody')")
    assert isinstance(look()[0], dg.SkipReason)


def test_the_sensor_waits_for_the_first_run(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch, look: Callable[[], list[dg.RunRequest | dg.SkipReason]]
) -> None:
    monkeypatch.setenv("HOLDFAST_DATABASE_URL", empty_database_url)
    assert isinstance(look()[0], dg.SkipReason)
