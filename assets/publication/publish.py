"""The one step that readers notice: all differences of all marts, in one transaction, or none.

Candidates lie in build.*; what is published lies in history.*. What differs is data under MVCC, not DDL: a reader's
snapshot holds one publication, whole. (A swap by DDL would show a repeatable-read reader an empty table.)

Belongs here: the order of a publication and what it remembers. Must not be here: how a mart's differences are found and
written (replacing; ending for the partitioned mart), which rows may differ (reach).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from assets.publication import ending, replacing
from assets.publication.mart_specs import MartSpec
from assets.publication.tables import ensure_month_partitions

#: Rows of keys that came or went, and their share of all, from which on a mart is analysed: the next run comes before
#: autovacuum does. A row that takes another's place changes nothing that plans look at.
ANALYSED_ROWS = 10_000
ANALYSED_SHARE = 0.1


@dataclass(frozen=True)
class Publication:
    """What one publication did. `publication_id` is None when nothing had changed."""

    publication_id: int | None
    changed_rows: int
    rows_by_table: dict[str, int] = field(default_factory=dict)
    changed_by_table: dict[str, int] = field(default_factory=dict)


def publish(
    conn: psycopg.Connection,
    finder: psycopg.Connection,
    run_id: str,
    specs: Sequence[MartSpec],
    inputs_fingerprint: str,
) -> Publication:
    """Carry the differences between build.* and history.* over, in the caller's transaction.

    The caller commits. On any error nothing of it is visible. When nothing differs, nothing is published and the last
    publication stands.

    Args:
        conn: A connection with an open transaction; it alone writes what readers see.
        finder: Another one, on which the differences of the next marts are found while those of one are written: the
            server does both at once. What it leaves in schema build is dropped by `conn`, or by the next publication.
        run_id: The run whose candidates and check results are published.
        specs: All marts.
        inputs_fingerprint: What the run was made from; the next run over the same is `unchanged`.
    """
    last = conn.execute("select max(publication_id) from ops.publications").fetchone()
    last_id = last[0] if last else None
    publication_id = (last_id or 0) + 1
    conn.execute("savepoint before_publication")
    changed: dict[str, int] = {}
    rows = _rows_before(conn)
    _keep_in_place(conn, specs)
    with _finding(finder, specs) as found:
        for spec in specs:
            tables = ensure_month_partitions(conn, spec)
            if spec.name in found:
                found[spec.name].result()
                done = replacing.write(conn, spec, publication_id)
            else:
                done = ending.carry_over(conn, spec, publication_id)
            changed[spec.name] = max(done.closed, done.opened)
            if done.moved > ANALYSED_ROWS:
                _analyse(conn, spec, tables, done.moved)
            rows[spec.name] = rows.get(spec.name, 0) + done.opened - done.closed
    counted = sum(changed[spec.name] for spec in specs if spec.is_counted)
    if counted == 0 and last_id is not None:
        conn.execute("rollback to savepoint before_publication")
        _remember_inputs(conn, last_id)
        return Publication(None, 0)
    conn.execute(
        """
        insert into ops.publications (publication_id, run_id, as_of, inputs_fingerprint, checks_passed, checks_warned,
                                      portfolios, held_portfolios, changed_rows, table_rows, published_at)
        select %(id)s, runs.run_id, runs.as_of, %(print)s,
               (select count(*) from history.data_quality where published_to is null and passed),
               (select count(*) from history.data_quality
                where published_to is null and not passed and severity <> 'info'),
               (select count(*) from history.portfolios where published_to is null and is_active and not is_held),
               (select count(*) from history.portfolios where published_to is null and is_held),
               %(changed)s, %(rows)s,
               clock_timestamp()  -- now() is when the transaction began, long before readers see anything of it
        from ops.runs where runs.run_id = %(run)s
        """,
        {
            "id": publication_id,
            "print": inputs_fingerprint,
            "changed": counted,
            "rows": json.dumps(rows),
            "run": run_id,
        },
    )
    _remember_inputs(conn, publication_id)
    return Publication(publication_id, counted, rows, changed)


def _keep_in_place(conn: psycopg.Connection, specs: Sequence[MartSpec]) -> None:
    """Nothing but this transaction moves published rows until it ends: `vacuum full` of an administrator waits."""
    conn.execute(
        sql.SQL("lock table {} in row exclusive mode").format(
            sql.SQL(", ").join(sql.Identifier("history", spec.name) for spec in specs)
        )
    )


@contextmanager
def _finding(finder: psycopg.Connection, specs: Sequence[MartSpec]) -> Iterator[dict[str, Future[None]]]:
    """The differences of the marts, found one after the other beside the caller; each is there when its future is."""
    finder.autocommit = True
    # who wants a mart for himself waits for the transaction that writes, and the finder would wait for him
    finder.execute("set lock_timeout = '60s'")
    with ThreadPoolExecutor(1) as thread:
        try:
            yield {s.name: thread.submit(replacing.find, finder, s) for s in specs if s.partition_by_month is None}
        finally:
            thread.shutdown(cancel_futures=True)


def _analyse(conn: psycopg.Connection, spec: MartSpec, tables: Sequence[str], changed: int) -> None:
    """Sample what the next run is planned by, keys and versions, in the tables that changed by more than a share.

    The other columns, half of the time, are autovacuum's, as are changes that add up slowly. A month's table is small
    and may be new: it is always sampled.
    """
    columns = dict.fromkeys((*spec.key, "published_from", "published_to"))
    for table in tables:
        is_much = conn.execute(
            "select pg_stat_get_mod_since_analyze(oid) + %s > %s * reltuples from pg_class where oid = %s::regclass",
            [changed, ANALYSED_SHARE, f"history.{table}"],
        ).fetchone()
        if spec.partition_by_month or is_much == (True,):
            conn.execute(
                sql.SQL("analyze {} ({})").format(
                    sql.Identifier("history", table), sql.SQL(", ").join(map(sql.Identifier, columns))
                )
            )


def _rows_before(conn: psycopg.Connection) -> dict[str, int]:
    """Current rows of each mart at the last publication: to count millions again takes longer than a day's work."""
    row = conn.execute("select table_rows from ops.publications order by publication_id desc limit 1").fetchone()
    return dict(json.loads(row[0])) if row else {}


def _remember_inputs(conn: psycopg.Connection, publication_id: int) -> None:
    """Keep what the published rows were made from: the next run computes what differs from it.

    A held portfolio's rows are older than that, so nothing is known of it and it is computed whole next time.
    """
    conn.execute(
        "delete from ops.portfolio_fingerprints where portfolio_id in (select portfolio_id from ops.held_portfolios)"
        " or portfolio_id not in (select portfolio_id from intermediate.int_portfolios)"
    )
    conn.execute(
        """
        insert into ops.portfolio_fingerprints (portfolio_id, fingerprint, events, analysis, publication_id)
        select scope.portfolio_id, scope.fingerprint, prints.events, prints.analysis, %s
        from ops.run_scope as scope
        inner join intermediate.int_portfolio_fingerprints as prints using (portfolio_id)
        where scope.portfolio_id not in (select portfolio_id from ops.held_portfolios)
        on conflict (portfolio_id) do update
        set fingerprint = excluded.fingerprint, events = excluded.events, analysis = excluded.analysis,
            publication_id = excluded.publication_id
        """,
        [publication_id],
    )
    conn.execute(
        """
        insert into ops.published_inputs (cutoff_at, as_of_date)
        select runs.cutoff_at, runs.as_of_date
        from ops.current_run inner join ops.runs using (run_id)
        on conflict (singleton) do update set cutoff_at = excluded.cutoff_at, as_of_date = excluded.as_of_date
        """
    )
    conn.execute(
        """
        merge into ops.price_prints as known
        using intermediate.int_price_prints as now
        on known.instrument_id = now.instrument_id and known.month = now.month
        when matched and known.print <> now.print then update set print = now.print
        when not matched then insert (instrument_id, month, print) values (now.instrument_id, now.month, now.print)
        """
    )
    conn.execute(
        "delete from ops.price_prints as known where not exists (select 1 from intermediate.int_price_prints as now"
        " where now.instrument_id = known.instrument_id and now.month = known.month)"
    )
    _remember_days(conn)
    conn.execute(
        "delete from intermediate.ledger_done where portfolio_id in (select portfolio_id from ops.held_portfolios)"
    )
    conn.execute(
        "insert into intermediate.ledger_done (portfolio_id) select portfolio_id from ops.run_scope"
        " where portfolio_id not in (select portfolio_id from ops.held_portfolios) on conflict do nothing"
    )


def _remember_days(conn: psycopg.Connection) -> None:
    """Keep the packed days of what is published now, whole months from the first that the run computed on."""
    conn.execute(
        """
        delete from intermediate.published_months as months
        using ops.run_scope as scope
        where scope.portfolio_id = months.portfolio_id
          and months.month >= coalesce(date_trunc('month', scope.from_date)::date, '-infinity')
          and scope.portfolio_id not in (select portfolio_id from ops.held_portfolios)
        """
    )
    conn.execute(
        "delete from intermediate.published_months"
        " where portfolio_id not in (select portfolio_id from intermediate.int_portfolios)"
    )
    conn.execute(
        """
        insert into intermediate.published_months (portfolio_id, month, first_date, days, events)
        select portfolio_id, month, first_date, days, events from intermediate.computed_months
        where portfolio_id not in (select portfolio_id from ops.held_portfolios)
        """
    )
