"""What readers see while a run works, and what is left after one was killed."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from assets.warehouse.database import connect
from tests.pipeline_runs import marts, one, rows, run, two_portfolios

#: Marts that every publication touches, asked in one snapshot.
SNAPSHOT = """
    select
        (select max(publication_id) from marts.publications),
        (select sum(quantity) from marts.open_lots where portfolio_id = 'other'),
        (select balance from marts.portfolio_assets where portfolio_id = 'other'),
        (select round(value_base, 2) from marts.portfolio_daily where portfolio_id = 'other' order by valuation_date desc limit 1),
        (select round(value_usd, 2) from marts.portfolio_allocation where portfolio_id = 'other' and dimension = 'asset')
"""


#: Made by what anybody may do with the marts.
VIEW = "create view bi.mine as select portfolio_id, value_usd from marts.portfolio_assets"
RELATIONS = "select oid, relname from pg_class where relnamespace = 'marts'::regnamespace order by 1"


@dataclass(frozen=True)
class Watched:
    """What was seen of the second publication: by a poll meanwhile, in a transaction around it, and of the relations."""

    url: str
    seen: set[tuple[object, ...]]
    errors: list[BaseException]
    in_one_transaction: list[tuple[object, ...] | None]
    relations: list[tuple[object, ...]]


@pytest.fixture(scope="module")
def watched(module_published_url: str, tmp_path_factory: pytest.TempPathFactory) -> Watched:
    """A run that publishes more of one portfolio, under the eyes of readers."""
    url, folder = module_published_url, tmp_path_factory.mktemp("watched")
    with connect(url) as connection:
        connection.execute(VIEW.encode())
    watched = Watched(url, set(), [], [], rows(url, RELATIONS))
    finished = threading.Event()

    def poll() -> None:
        with connect(url, autocommit=True) as connection:
            while not finished.is_set():
                try:
                    watched.seen.add(tuple(connection.execute(SNAPSHOT.encode()).fetchone() or ()))
                except psycopg.Error as error:  # pragma: no cover -- the failure that this test looks for
                    watched.errors.append(error)
                time.sleep(0.05)

    reader = threading.Thread(target=poll)
    reader.start()
    more = ["other,main,2024-01-09,BUY,etf:SPY,2,108,,USD,,,,,b3"]
    with connect(url) as connection:
        connection.execute("set transaction isolation level repeatable read")
        watched.in_one_transaction.append(connection.execute(SNAPSHOT.encode()).fetchone())
        outcome = run(two_portfolios(folder / "inputs", extra=more), url, folder / "home")
        watched.in_one_transaction.append(connection.execute(SNAPSHOT.encode()).fetchone())
    time.sleep(0.2)
    finished.set()
    reader.join()
    assert outcome.summary["publication_id"] == 2, outcome.messages
    return watched


def test_a_polling_reader_sees_one_publication_at_a_time(watched: Watched) -> None:
    assert watched.errors == []
    assert watched.seen == {(1, 1, 1, 110, 110), (2, 3, 3, 330, 330)}


def test_a_repeatable_read_snapshot_keeps_its_publication(watched: Watched) -> None:
    before, after = watched.in_one_transaction
    assert before == after == (1, 1, 1, 110, 110)
    assert one(watched.url, "select sum(quantity) from marts.open_lots where portfolio_id = 'other'") == 3


def test_marts_keep_their_identity_and_what_people_built_on_them(watched: Watched) -> None:
    assert rows(watched.url, RELATIONS) == watched.relations != []
    assert one(watched.url, "select value_usd from bi.mine where portfolio_id = 'other'") == 330


def _run_until_killed(environment: dict[str, str], inputs: Path, url: str, home: Path, as_of: str | None) -> None:
    os.environ.clear()  # it is the server's, which may have begun for another test
    os.environ.update(environment)
    run(inputs, url, home, as_of)


def test_kills_in_the_middle_leave_the_last_publication(published_url: str, tmp_path: Path) -> None:
    before = marts(published_url)
    more = ["other,main,2024-01-09,BUY,etf:SPY,2,108,,USD,,,,,b3"]
    inputs = two_portfolios(tmp_path / "inputs", extra=more)

    # a lock on what a stage writes makes it wait at a known place, and there it dies
    for table in ("intermediate.ledger_positions", "history.portfolio_daily_earlier"):
        kill_at(table, inputs, published_url, tmp_path / "home")
        assert marts(published_url) == before
        assert rows(published_url, "select count(*) from ops.publications") == [(1,)]

    again = run(inputs, published_url, tmp_path / "home")
    assert again.summary["status"] == "published", again.messages
    assert one(published_url, "select sum(quantity) from marts.open_lots where portfolio_id = 'other'") == 3
    assert one(published_url, "select count(*) from ops.runs where status = 'running'") == 0


def kill_at(table: str, inputs: Path, url: str, home: Path, as_of: str | None = "2024-01-10") -> None:
    """Kill a run that is about to write a table; returns when the server has noticed."""
    # a process of its own that has everything imported, as those of the daemon
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["orchestration.warm_imports"])
    with connect(url) as blocker:
        blocker.execute(f"lock table {table} in share mode".encode())
        victim = context.Process(target=_run_until_killed, args=(dict(os.environ), inputs, url, home, as_of))
        victim.start()
        assert victim.pid is not None
        _wait_for_lock(url, table)
        os.kill(victim.pid, signal.SIGKILL)
        victim.join()
    _wait_for_release(url)


def _wait_for_lock(url: str, table: str, seconds: float = 180) -> None:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        waiting = one(url, "select count(*) from pg_locks where relation = %s::regclass and not granted", table)
        if waiting:
            return
        time.sleep(0.1)
    raise AssertionError(f"the run never came to {table}")


def _wait_for_release(url: str, seconds: float = 30) -> None:
    """The killed run's sessions live on until the server notices; the pipeline's lock goes with them."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (
            one(
                url,
                "select count(*) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())",
            )
            == 0
        ):
            return
        time.sleep(0.2)
    raise AssertionError("the killed run still holds its lock")
