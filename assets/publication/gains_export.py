"""Realised gains as CSV, for a tax return or a spreadsheet.

Belongs here: the columns and the order of the two files. Must not be here: any arithmetic (the marts have it), the
command line.
"""

from __future__ import annotations

from collections.abc import Callable

from psycopg import sql

from assets.warehouse.database import Connection, has_relation

_BY_LOT = """
select
    gains.portfolio_id, gains.account_id, gains.instrument_id, instruments.symbol, instruments.asset_class,
    gains.disposal_id, gains.lot_id,
    to_char(gains.acquired_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as acquired_at,
    to_char(gains.disposed_at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') as disposed_at,
    gains.holding_days, gains.holding_period, gains.method, gains.quantity, portfolios.base_currency,
    gains.proceeds_base, gains.cost_base, gains.fee_base, gains.gain_base, gains.gain_currency_base,
    gains.is_missing_acquisition, gains.source_transaction
from marts.realized_gains as gains
left join marts.portfolios as portfolios on gains.portfolio_id = portfolios.portfolio_id
left join marts.instruments as instruments on gains.instrument_id = instruments.instrument_id
where {condition}
order by gains.portfolio_id, gains.disposed_at, gains.disposal_id, gains.acquired_at, gains.lot_id
"""
_BY_YEAR = """
select *
from marts.gains_by_year as gains
where {condition}
order by gains.portfolio_id, gains.disposal_year, gains.holding_period, gains.instrument_id
"""


class NothingPublishedError(RuntimeError):
    """What was asked for is not published; the message says what is."""


def write_gains(
    conn: Connection,
    write: Callable[[bytes], object],
    *,
    year: int | None = None,
    portfolio: str | None = None,
    by_year: bool = False,
) -> int:
    """Write realised gains as CSV (UTF-8, header, exact numbers, an unknown value empty). Returns the rows.

    Args:
        conn: any role that reads the marts.
        write: takes the parts of the file, in order.
        year: of the disposal (UTC); None: all.
        portfolio: None: all.
        by_year: the sums by year, holding period and instrument instead of a row per disposal and lot.

    Raises:
        NothingPublishedError: there is no publication with this view yet, or no such portfolio.
    """
    if not has_relation(conn, "marts.gains_by_year"):
        raise NothingPublishedError("nothing is published yet: run `holdfast run --inputs DIR` first")
    conditions: list[sql.Composable] = [sql.SQL("true")]
    if portfolio is not None:
        _check_portfolio(conn, portfolio)
        conditions.append(sql.SQL("gains.portfolio_id = {}").format(sql.Literal(portfolio)))
    if year is not None:
        column = "gains.disposal_year" if by_year else "extract(year from gains.disposal_date)"
        conditions.append(sql.SQL(column + " = {}").format(sql.Literal(year)))
    query = sql.SQL(_BY_YEAR if by_year else _BY_LOT).format(condition=sql.SQL(" and ").join(conditions))
    with conn.cursor() as cursor:
        with cursor.copy(sql.SQL("copy ({}) to stdout (format csv, header)").format(query)) as copy:
            for part in copy:
                write(bytes(part))
        return cursor.rowcount


def _check_portfolio(conn: Connection, portfolio: str) -> None:
    published = [row[0] for row in conn.execute("select portfolio_id from marts.portfolios order by 1")]
    if portfolio not in published:
        shown = ", ".join(published[:10]) + (f" and {len(published) - 10} more" if len(published) > 10 else "")
        raise NothingPublishedError(f"portfolio {portfolio!r} is not published; published are: {shown or 'none'}")
