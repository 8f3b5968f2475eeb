"""Every state that a mart was published in can be read again, whatever changed, came, went or stayed out of reach."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from assets.publication import replacing
from assets.publication.mart_specs import Column, MartSpec, read_specs
from assets.publication.tables import ensure_marts
from assets.warehouse.database import Connection, connect
from assets.warehouse.dbt import MANIFEST

COLUMNS = {
    "portfolio_id": "text", "item": "text", "amount": "numeric", "ratio": "double precision", "seen_at": "date",
    "reason": "text",
}  # fmt: skip
SPEC = MartSpec(
    "made", "A made mart.", tuple(Column(name, kind, name) for name, kind in COLUMNS.items()), ("portfolio_id", "item"),
    "scope", ("seen_at",), None, None, None, None, True, True, None,
)  # fmt: skip
FIRST = datetime(2024, 1, 1, tzinfo=UTC)

State = dict[tuple[str, str], tuple[Any, ...]]


@pytest.fixture
def connections(database_url: str) -> Iterator[tuple[Connection, Connection]]:
    with connect(database_url) as conn, connect(database_url, autocommit=True) as finder:
        ensure_marts(conn, [*read_specs(MANIFEST), SPEC])
        conn.execute(
            "create table build.made (portfolio_id text, item text, amount numeric, ratio float8, seen_at date, reason text)"
        )
        conn.execute(
            "insert into ops.run_scope (portfolio_id, fingerprint, runs_ledger) values ('p', '', true), ('q', '', true)"
        )
        conn.execute(
            "insert into ops.runs (run_id, as_of, cutoff_at, as_of_date, is_as_of_given)"
            " values ('r', now(), now(), now(), true)"
        )
        conn.commit()
        yield conn, finder


def publish(conn: Connection, finder: Connection, number: int, candidates: State) -> replacing.Changed:
    conn.execute("truncate build.made")
    conn.cursor().executemany(
        "insert into build.made values (%s, %s, %s, %s, %s, %s)", [key + row for key, row in candidates.items()]
    )
    conn.commit()
    replacing.find(finder, SPEC)
    done = replacing.write(conn, SPEC, number)
    conn.execute(
        "insert into ops.publications (publication_id, run_id, as_of, inputs_fingerprint, checks_passed, checks_warned,"
        " portfolios, held_portfolios, changed_rows, table_rows, published_at)"
        " values (%s, 'r', now(), '', 0, 0, 0, 0, 0, '{}', %s)",
        [number, FIRST + timedelta(days=number)],
    )
    conn.commit()
    return done


def known(conn: Connection, number: int) -> State:
    names = ", ".join(COLUMNS)
    at = FIRST + timedelta(days=number, hours=1)
    found = conn.execute(f"select {names} from marts.made_as_known_at(%s)".encode(), [at]).fetchall()
    assert len({row[:2] for row in found}) == len(found)
    return {row[:2]: row[2:] for row in found}


def test_every_published_state_is_read_again(connections: tuple[Connection, Connection]) -> None:
    conn, finder = connections
    rng = random.Random(7)
    published: State = {}
    states: list[State] = []
    for number in range(1, 12):
        day = (FIRST + timedelta(days=number)).date()
        candidates: State = {}
        for key in ((portfolio, str(item)) for portfolio in "pqr" for item in range(40)):
            before = published.get(key)
            chance = rng.random()
            if chance < 0.2:
                continue  # never there, or gone
            if before and chance < 0.5:
                candidates[key] = (*before[:2], day, before[3])  # seen again, which is no change
            else:
                reason = rng.choice([None, "", "unknown"])
                candidates[key] = (rng.choice([None, rng.randint(1, 9)]), rng.choice([None, rng.random()]), day, reason)
        # r is never in the run's scope; q is held every third time, and keeps its rows
        conn.execute("truncate ops.held_portfolios")
        if number % 3 == 0:
            conn.execute("insert into ops.held_portfolios (portfolio_id, check_name, reason) values ('q', '', '')")
        reached = "p" if number % 3 == 0 else "pq"
        own = {key: row for key, row in candidates.items() if key[0] in reached}
        after = {key: row for key, row in published.items() if key[0] not in reached}
        for key, row in own.items():
            before = published.get(key)
            is_same = before is not None and (*before[:2], before[3]) == (*row[:2], row[3])
            after[key] = before if before is not None and is_same else row
        ended = sum(after.get(key) != row for key, row in published.items())
        begun = sum(published.get(key) != row for key, row in after.items())
        done = publish(conn, finder, number, candidates)
        assert (done.closed, done.opened) == (ended, begun)
        published = after
        states.append(dict(published))
    for number, state in enumerate(states, start=1):
        assert known(conn, number) == state, number
    assert known(conn, 0) == {}
    assert not conn.execute("select 1 from pg_class where relname = 'difference_made'").fetchall()


def test_a_column_that_came_later_is_unknown_before(connections: tuple[Connection, Connection]) -> None:
    conn, finder = connections
    row = (1, 0.5, FIRST.date(), None)
    publish(conn, finder, 1, {("p", "a"): row})
    publish(conn, finder, 2, {("p", "a"): (2, *row[1:])})
    conn.execute("delete from ops.relation_definitions")
    later = replace(SPEC, columns=(*SPEC.columns, Column("later", "integer", "later")))
    ensure_marts(conn, [*read_specs(MANIFEST), later])
    found = conn.execute("select amount, later from marts.made_as_known_at(%s)", [FIRST + timedelta(days=1)]).fetchall()
    assert found == [(1, None)]


def test_rows_that_a_day_replaces_stay_on_their_pages(connections: tuple[Connection, Connection]) -> None:
    conn, finder = connections
    keys = [("p", str(item)) for item in range(5000)]
    for number in (1, 2, 3):
        publish(conn, finder, number, {key: (number, 0.5, FIRST.date(), "a reason of some length") for key in keys})
    conn.execute("select pg_stat_force_next_flush()")
    conn.commit()  # what this connection did is counted when its transaction ends
    updated = conn.execute("select n_tup_upd, n_tup_hot_upd from pg_stat_user_tables where relname = 'made'").fetchone()
    assert updated is not None
    assert updated[0] == 10_000
    assert updated[1] > 9_000


def test_what_an_earlier_release_ended_where_it_stood_is_still_known(
    connections: tuple[Connection, Connection],
) -> None:
    conn, finder = connections
    row = (1, 0.5, FIRST.date(), None)
    publish(conn, finder, 1, {("p", "a"): row})
    conn.execute("update history.made set published_to = 2")
    conn.execute("insert into history.made select 'p', 'a', 2, 0.5, seen_at, null, 2, null from history.made")
    publish(conn, finder, 2, {("p", "a"): (2, *row[1:])})
    publish(conn, finder, 3, {})
    assert [known(conn, number) for number in (1, 2, 3)] == [{("p", "a"): row}, {("p", "a"): (2, *row[1:])}, {}]


def test_a_key_that_stands_beyond_the_runs_reach_stays(connections: tuple[Connection, Connection]) -> None:
    conn, finder = connections
    listed = replace(SPEC, name="listed", key=("item",))
    ensure_marts(conn, [*read_specs(MANIFEST), listed])
    conn.execute("create table build.listed (like build.made)")
    conn.execute("insert into history.listed values ('elsewhere', 'a', 1, 0.5, now(), null, 1, null)")
    conn.execute("insert into build.listed values ('p', 'a', 2, 0.5, now(), null), ('p', 'b', 1, 0.5, now(), null)")
    conn.commit()
    replacing.find(finder, listed)
    done = replacing.write(conn, listed, 2)
    assert (done.closed, done.opened) == (0, 1)
    assert conn.execute("select portfolio_id, item from marts.listed order by 2").fetchall() == [
        ("elsewhere", "a"),
        ("p", "b"),
    ]
