"""Which rows of a mart a run may change, as conditions of SQL; and how lists of columns are written.

Belongs here: `reach` of the marts (mart_specs). Must not be here: what differs and what is written (replacing, ending).
"""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from assets.publication.mart_specs import MartSpec


def of_candidates(spec: MartSpec, alias: str) -> sql.Composable:
    """Condition on rows, candidates or published ones, of what the run computed and no gate holds."""
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


def of_published(spec: MartSpec, alias: str) -> sql.Composable:
    """Condition on the published rows that a run's candidates are compared with: the current ones."""
    condition = sql.SQL("{}.published_to is null and {}").format(sql.Identifier(alias), of_candidates(spec, alias))
    if spec.day_column:
        # nothing is published of new days: asked once, before the whole history is looked through
        condition += sql.SQL(
            " and coalesce((select as_of_date from ops.published_inputs), 'infinity')"
            " >= (select min(coalesce(from_date, '-infinity')) from ops.run_scope)"
        )
    return condition


def same_key(left: str, right: str, columns: Sequence[str]) -> sql.Composable:
    """Whether two rows have the same key."""
    return sql.SQL(" and ").join(
        sql.SQL("{} = {}").format(sql.Identifier(left, c), sql.Identifier(right, c)) for c in columns
    )


def same_values(left: str, right: str, columns: Sequence[str]) -> sql.Composable:
    """Whether two rows say the same in these columns; NULL is the same as NULL."""
    if not columns:
        return sql.SQL("true")
    return sql.SQL("(({}) is not distinct from ({}))").format(columns_of(left, columns), columns_of(right, columns))


def columns_of(alias: str, columns: Sequence[str]) -> sql.Composable:
    """The columns of a row, with its alias."""
    return sql.SQL(", ").join(sql.Identifier(alias, c) for c in columns)


def names(columns: Sequence[str]) -> sql.Composable:
    """The columns alone."""
    return sql.SQL(", ").join(map(sql.Identifier, columns))
