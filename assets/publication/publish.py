"""The one step that readers notice: all differences of all marts, in one transaction, or none.

Candidates lie in build.*; what is published lies in history.* with (published_from, published_to). A publication closes
the rows that changed or vanished and adds the new ones. Views show `published_to is null`, which is data under MVCC: a
reader's snapshot holds one publication, whole. (A swap by DDL would show a repeatable-read reader an empty table.)
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

import psycopg
from psycopg import sql

from assets.publication.mart_specs import MartSpec
from assets.publication.tables import ensure_month_partitions

#: Changed rows, and their share of all, from which on a mart is analysed: the next run comes before autovacuum does.
ANALYSED_ROWS = 10_000
ANALYSED_SHARE = 0.1


@dataclass(frozen=True)
class Publication:
    """What one publication did. `publication_id` is None when nothing had changed."""

    publication_id: int | None
    changed_rows: int
    rows_by_table: dict[str, int] = field(default_factory=dict)
    changed_by_table: dict[str, int] = field(default_factory=dict)


def publish(conn: psycopg.Connection, run_id: str, specs: Sequence[MartSpec], inputs_fingerprint: str) -> Publication:
    """Carry the differences between build.* and history.* over, in the caller's transaction.

    The caller commits. On any error nothing of it is visible. When nothing differs, nothing is published and the last
    publication stands.

    Args:
        conn: A connection with an open transaction.
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
    for spec in specs:
        tables = ensure_month_partitions(conn, spec)
        closed, opened = _carry_over(conn, spec, publication_id)
        changed[spec.name] = max(closed, opened)
        if changed[spec.name] > ANALYSED_ROWS:
            _analyse(conn, spec, tables, changed[spec.name])
        rows[spec.name] = rows.get(spec.name, 0) + opened - closed
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


def _carry_over(conn: psycopg.Connection, spec: MartSpec, publication_id: int) -> tuple[int, int]:
    """Close and open rows of one mart; returns how many of each."""
    history, build = sql.Identifier("history", spec.name), sql.Identifier("build", spec.name)
    names = sql.SQL(", ").join(map(sql.Identifier, spec.column_names))
    same_key = _conjunction("b", "h", spec.key)
    if not _has_current(conn, spec.name):
        # nothing to compare with; the candidates keep their order, in which the indexes fill fastest
        return 0, conn.execute(
            sql.SQL("insert into {} ({}, published_from) select {}, %s from {} as b where {}").format(
                history, names, _row("b", spec.column_names), build, _reach(spec, "b")
            ),
            [publication_id],
        ).rowcount
    compared = spec.compared
    same_values: sql.Composable = sql.SQL("true")
    if compared:
        same_values = sql.SQL("(({}) is not distinct from ({}))").format(_row("b", compared), _row("h", compared))
    ended = sql.SQL("update {} as h set published_to = %s where h.published_to is null and {}").format(
        history, _reach(spec, "h")
    )
    if spec.day_column:
        # nothing is published of new days: asked once, before the whole history is looked through for rows to end
        ended += sql.SQL(
            " and coalesce((select as_of_date from ops.published_inputs), 'infinity')"
            " >= (select min(coalesce(from_date, '-infinity')) from ops.run_scope)"
        )
    version = sql.SQL("exists (select 1 from {} as b where {} and {})")
    same = version.format(build, same_key, same_values)
    if spec.keep_where is None:
        closed = conn.execute(ended + sql.SQL(" and not ") + same, [publication_id]).rowcount
    else:
        # a kept kind of row ends only when the candidate has another version of the very same key; in two statements,
        # for a condition that joins both with `or` is tried row by row: minutes where this takes seconds
        keeps = sql.SQL(" and ({})").format(sql.SQL(spec.keep_where))
        others = sql.SQL(" and not ({})").format(sql.SQL(spec.keep_where))
        other_version = version.format(build, same_key, sql.SQL("not ") + same_values)
        closed = conn.execute(ended + others + sql.SQL(" and not ") + same, [publication_id]).rowcount
        closed += conn.execute(ended + keeps + sql.SQL(" and ") + other_version, [publication_id]).rowcount
    if spec.outdated_where:
        closed += conn.execute(
            sql.SQL("update {} as h set published_to = %s where h.published_to is null and ({})").format(
                history, sql.SQL(spec.outdated_where)
            ),
            [publication_id],
        ).rowcount
    # `offset 0` has the candidates found first. The statistics still say that each has a current row, which was ended a
    # moment ago: the planner expects none to be left over and would go through the whole scope for each one that is,
    # 47 million comparisons for the contributions of 1,000 portfolios, a hundred times that for 10,000
    opened = conn.execute(
        sql.SQL(
            "insert into {} ({}, published_from) select {}, %s from (select b.* from {} as b where {} offset 0) as b"
            " where not exists (select 1 from {} as h where h.published_to is null and {})"
        ).format(history, names, _row("b", spec.column_names), build, _reach(spec, "b"), history, same_key),
        [publication_id],
    ).rowcount
    return closed, opened


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


def _has_current(conn: psycopg.Connection, name: str) -> bool:
    query = sql.SQL("select exists (select 1 from {} where published_to is null)")
    return conn.execute(query.format(sql.Identifier("history", name))).fetchone() == (True,)


def _reach(spec: MartSpec, alias: str) -> sql.Composable:
    if spec.reach == "all":
        return sql.SQL("true")
    scope = "{a}.portfolio_id in (select portfolio_id from ops.run_scope)"
    if spec.reach == "scope_and_held":
        return sql.SQL(f"({{a}}.portfolio_id is null or {scope})").format(a=sql.Identifier(alias))
    if spec.reach == "ledger":
        scope = "{a}.portfolio_id in (select portfolio_id from ops.run_scope where runs_ledger)"
    elif spec.day_column:
        scope = (
            "exists (select 1 from ops.run_scope as scope where scope.portfolio_id = {a}.portfolio_id"
            " and {a}.{day} >= coalesce(scope.from_date, '-infinity'))"
        )
    return sql.SQL(scope + " and {a}.portfolio_id not in (select portfolio_id from ops.held_portfolios)").format(
        a=sql.Identifier(alias), day=sql.Identifier(spec.day_column or "")
    )


def _conjunction(left: str, right: str, columns: Sequence[str]) -> sql.Composable:
    return sql.SQL(" and ").join(
        sql.SQL("{} = {}").format(sql.Identifier(left, c), sql.Identifier(right, c)) for c in columns
    )


def _row(alias: str, columns: Sequence[str]) -> sql.Composable:
    return sql.SQL(", ").join(sql.Identifier(alias, c) for c in columns)


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
