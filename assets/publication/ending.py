"""The differences of a mart whose versions stay rows: those that changed or vanished are ended, new ones are added.

Belongs here: portfolio_snapshots, which is partitioned by month; the archive takes its versions away one by one. Must
not be here: the other marts (replacing).
"""

from __future__ import annotations

from psycopg import sql

from assets.publication import reach
from assets.publication.mart_specs import MartSpec
from assets.publication.replacing import Changed
from assets.warehouse.database import Connection


def carry_over(conn: Connection, spec: MartSpec, publication_id: int) -> Changed:
    """End and add rows of one mart, in the caller's transaction."""
    parts = {
        "history": sql.Identifier("history", spec.name),
        "build": sql.Identifier("build", spec.name),
        "names": reach.names(spec.column_names),
        "id": sql.Literal(publication_id),
        "candidates": reach.of_candidates(spec, "b"),
        "same_key": reach.same_key("b", "h", spec.key),
    }
    closed = _end(conn, spec, parts)
    # `offset 0` has the candidates found first. The statistics still say that each has a current row, which was ended a
    # moment ago: the planner expects none to be left over and would go through the whole scope for each one that is,
    # 47 million comparisons for the contributions of 1,000 portfolios, a hundred times that for 10,000
    opened = conn.execute(
        sql.SQL(
            "insert into {history} ({names}, published_from)"
            " select {names}, {id} from (select b.* from {build} as b where {candidates} offset 0) as b"
            " where not exists (select 1 from {history} as h where h.published_to is null and {same_key})"
        ).format(**parts)
    ).rowcount
    return Changed(closed, opened, max(closed, opened))


def _end(conn: Connection, spec: MartSpec, parts: dict[str, sql.Composable]) -> int:
    ended = sql.SQL("update {history} as h set published_to = {id} where ").format(**parts)
    reached = ended + reach.of_published(spec, "h")
    version = sql.SQL("exists (select 1 from {build} as b where {same_key} and ").format(**parts)
    same = reach.same_values("b", "h", spec.compared)
    kept = sql.SQL(spec.keep_where or "false")
    # a kept kind of row ends only when the candidate has another version of the very same key; in two statements, for a
    # condition that joins both with `or` is tried row by row: minutes where this takes seconds
    statements = [
        sql.SQL("{} and not ({}) and not {}{})").format(reached, kept, version, same),
        sql.SQL("{} and ({}) and {}not {})").format(reached, kept, version, same),
    ]
    if spec.outdated_where:
        statements.append(sql.SQL("{}h.published_to is null and ({})").format(ended, sql.SQL(spec.outdated_where)))
    return sum(conn.execute(statement).rowcount for statement in statements)
