"""Reads what portfolios share: prices and returns of instruments by day, and who has which.

Belongs here: SQL that reads them, and their tables in arrays. Must not be here: what is held (reading_holdings), any
formula.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np

from assets.performance.compute import day_number
from assets.performance.holdings import Holdings
from assets.performance.measures import Floats, Integers
from assets.performance.reading_days import EPOCH
from assets.performance.series import DailySeries
from assets.warehouse.database import Connection

# Prices as int_price_base has them, over the whole history; one row a series, its days and prices as packed numbers.
# A currency is its own price, rates and yields are never valued.
_PRICES = f"""
    with needed as (
        select distinct portfolios.base_currency, positions.instrument_id
        from intermediate.ledger_positions as positions
        inner join intermediate.int_portfolios as portfolios using (portfolio_id)
        inner join ops.run_scope using (portfolio_id)),
    described as (
        select needed.*, instruments.quote_currency, instruments.pricing_instrument_id, instruments.asset_class
        from needed inner join intermediate.int_instruments as instruments using (instrument_id)),
    priced as (
        select described.base_currency, described.instrument_id, prices.valuation_date as day,
            prices.price * case when described.quote_currency = described.base_currency then 1 else fx.rate end as price
        from described
        inner join intermediate.int_price_daily as prices on prices.instrument_id = described.pricing_instrument_id
        left join intermediate.int_fx_daily as fx
            on fx.currency = described.quote_currency and fx.quote = described.base_currency
            and fx.fx_date = prices.valuation_date and described.quote_currency <> described.base_currency
        where described.asset_class not in ('fiat', 'rate')
        union all
        select described.base_currency, described.instrument_id, fx.fx_date, fx.rate
        from described
        inner join intermediate.int_fx_daily as fx
            on fx.currency = described.instrument_id and fx.quote = described.base_currency
        where described.asset_class = 'fiat' and described.instrument_id <> described.base_currency)
    select base_currency, instrument_id,
        string_agg(int4send(day - {EPOCH}), ''), string_agg(float8send(price::float8), '')
    from priced where price is not null and day between %s and %s
    group by base_currency, instrument_id
"""
# of benchmarks and of everything held
_RETURNS = f"""
    select base_currency, instrument_id,
        string_agg(int4send(valuation_date - {EPOCH}), ''), string_agg(float8send(daily_return), '')
    from intermediate.int_instrument_returns
    where daily_return is not null and valuation_date between %s and %s
    group by base_currency, instrument_id
"""


@dataclass(frozen=True)
class DayTable:
    """A number a day for many (base currency, instrument) pairs.

    Attributes:
        rows: pair -> row.
        values: (rows, days) NaN: none.
        first_day: day number of the first column.
    """

    rows: Mapping[tuple[str, str], int]
    values: Floats
    first_day: int


@dataclass(frozen=True)
class Reference:
    """What portfolios share: prices and returns of instruments, and who has which.

    Attributes:
        prices: in base currency.
        returns: daily returns of benchmarks and of what was held, in base currency.
        base_currency: portfolio -> instrument id of its base currency.
        benchmark: portfolio -> instrument id, for those that have one.
        user: portfolio -> user, of all portfolios in scope.
        asset_class: instrument -> class.
        with_dividends: instruments whose dividends are known.
        last_day: day number of the as-of date.
    """

    prices: DayTable
    returns: DayTable
    base_currency: Mapping[str, str]
    benchmark: Mapping[str, str]
    user: Mapping[str, str]
    asset_class: Mapping[str, str]
    with_dividends: frozenset[str]
    last_day: int


def read_reference(conn: Connection, as_of_date: date) -> Reference:
    """Prices, benchmarks and settings of the portfolios in scope."""
    portfolios = conn.execute(
        "select portfolio_id, user_id, base_currency, benchmark from intermediate.int_portfolios"
        " inner join ops.run_scope using (portfolio_id)"
    ).fetchall()
    classes = conn.execute("select instrument_id, asset_class from intermediate.int_instruments").fetchall()
    dividends = conn.execute("select distinct instrument_id from staging.stg_corporate_actions where kind = 'dividend'")
    held = conn.execute("select coalesce(min(valid_from), %s) from intermediate.ledger_positions", [as_of_date])
    (first_date,) = held.fetchone() or (as_of_date,)
    prices = read_day_table(conn, _PRICES, first_date, as_of_date)
    # a base currency is worth 1 of itself on every day
    ones = {(base, base): len(prices.values) for _, _, base, _ in portfolios}
    with_ones = np.vstack([prices.values, np.ones((1, prices.values.shape[1]))])
    return Reference(
        prices=DayTable({**prices.rows, **ones}, with_ones, prices.first_day),
        returns=read_returns(conn, first_date, as_of_date),
        base_currency={portfolio: base for portfolio, _, base, _ in portfolios},
        benchmark={portfolio: benchmark for portfolio, _, _, benchmark in portfolios if benchmark is not None},
        user={portfolio: user for portfolio, user, _, _ in portfolios},
        asset_class=dict(classes),
        with_dividends=frozenset(instrument for (instrument,) in dividends),
        last_day=day_number(as_of_date),
    )


def read_returns(conn: Connection, first_date: date, last_date: date) -> DayTable:
    """Daily returns of benchmarks and of everything held, by base currency and instrument; splits undone."""
    return read_day_table(conn, _RETURNS, first_date, last_date)


def read_day_table(conn: Connection, query: str, first_date: date, last_date: date) -> DayTable:
    """The rows of a query: base currency, instrument, its days as packed int4 and their numbers as packed float8.

    Args:
        conn: any.
        query: with two parameters, the first and the last day.
        first_date: of the first column.
        last_date: of the last one.
    """
    with conn.cursor(binary=True) as cursor:
        found = cursor.execute(query.encode(), [first_date, last_date]).fetchall()
    first_day = day_number(first_date)
    values = np.full((len(found), day_number(last_date) - first_day + 1), np.nan)
    for row, (_, _, days, numbers) in enumerate(found):
        values[row, np.frombuffer(days, ">i4") - first_day] = np.frombuffer(numbers, ">f8")
    return DayTable({(base, instrument): row for row, (base, instrument, _, _) in enumerate(found)}, values, first_day)


def benchmark_days(series: DailySeries, reference: Reference) -> Floats:
    """(days,) the return of each portfolio's benchmark beside its daily rows; NaN: none."""
    table, found = reference.returns, np.full(int(series.offsets[-1]), np.nan)
    for portfolio, portfolio_id in enumerate(series.portfolio_ids):
        pair = (reference.base_currency[portfolio_id], reference.benchmark.get(portfolio_id, ""))
        if pair not in table.rows:
            continue
        begin, end = series.offsets[portfolio], series.offsets[portfolio + 1]
        column = int(series.first_day[portfolio]) - table.first_day
        before = min(max(-column, 0), int(end - begin))
        found[begin + before : end] = table.values[table.rows[pair]][column + before : column + end - begin]
    return found


def return_rows(series: DailySeries, holdings: Holdings, reference: Reference) -> Integers:
    """(holdings,) row of each holding in the reference's returns; -1: none."""
    bases = [reference.base_currency[portfolio_id] for portfolio_id in series.portfolio_ids]
    pairs = zip(holdings.owner, holdings.instrument_ids, strict=True)
    rows = [reference.returns.rows.get((bases[portfolio], instrument), -1) for portfolio, instrument in pairs]
    return np.array(rows, dtype=np.int64)
