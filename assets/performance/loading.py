"""Reads what the measures are computed from: daily rows, holdings, prices and benchmarks of the portfolios in scope.

Belongs here: SQL that reads, and its layout in arrays. Must not be here: any formula, writing (store).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from assets.performance import numeric_kernel
from assets.performance.compiled import kernel
from assets.performance.compute import day_number
from assets.performance.holdings import CASH_CLASS, Classes, Holdings
from assets.performance.measures import Floats, Integers
from assets.performance.packed_days import DAY, DENSE, EVENT, RARE, PackedDays, lay_out, unpack
from assets.performance.series import DailySeries
from assets.warehouse.database import Connection

#: the days that the run computes; the others of a portfolio are packed
DAILY_TABLE = "build.portfolio_daily"

_EPOCH = "date '1970-01-01'"
# of the numbers of a packed day, those that are not numeric
_RATES = ("twr_return", "risk_free_rate")
_AMOUNTS = tuple(name for name in DENSE if name not in _RATES)


def _packed(numbers: str) -> str:
    return f"string_agg({numbers}, '' order by valuation_date)"


def _numeric(name: str) -> str:
    return f"numeric_send(coalesce({name}::numeric, 'NaN'))"


_HAS_RARE = f"filter (where ({' and '.join(f'{name} = 0' for name in RARE)}) is not true)"
_RARE_DAY = " || ".join([f"numeric_send((valuation_date - {_EPOCH})::numeric)", *map(_numeric, RARE)])
#: a bit for each of the series' flags
_MARKS = """int2send((
    coalesce(is_complete, false)::int + 2 * coalesce(is_market_day, false)::int
    + 4 * coalesce(trades_daily, false)::int + 8 * coalesce(flow_basis = 'observed', false)::int
)::smallint)"""
# One row a portfolio, its days packed: the driver takes a microsecond for each row of a table, and a number costs less
# to send as it is than as text or as a double.
_DAILY = f"""
    select portfolio_id, {_packed(f"int4send(valuation_date - {_EPOCH})")},
        {_packed(_RARE_DAY)} {_HAS_RARE},
        {_packed(_MARKS)},
        {", ".join(_packed(f"float8send(coalesce({name}::float8, 'NaN'))") for name in _RATES)},
        {", ".join(_packed(_numeric(name)) for name in _AMOUNTS)}
    from {DAILY_TABLE} where portfolio_id = any(%s) and valuation_date <= %s
    group by portfolio_id
"""
# published days lie packed already; those that the run computes again stand in their last month
_PUBLISHED = """
    select months.portfolio_id, months.days, months.events
    from intermediate.published_months as months
    inner join ops.run_scope as scope
        on scope.portfolio_id = months.portfolio_id and months.first_date < scope.from_date
    where months.portfolio_id = any(%s)
"""
# One row a holding, its positions or entries packed, for the same reason.
_POSITIONS = f"""
    select portfolio_id, instrument_id, string_agg(
        int4send(valid_from - {_EPOCH}) || int4send(coalesce(valid_to, %s + 1) - {_EPOCH})
        || float8send(quantity::float8) || float8send(coalesce(cost_base, 0)::float8), '')
    from intermediate.ledger_positions where portfolio_id = any(%s) and valid_from <= %s
    group by portfolio_id, instrument_id
"""
POSITION = np.dtype([("valid_from", ">i4"), ("valid_to", ">i4"), ("quantity", ">f8"), ("cost", ">f8")])
# what an entry adds to the gain of its day, beside the change of the unrealised gain
_ENTRIES = f"""
    select portfolio_id, instrument_id, string_agg(int4send(entry_date - {_EPOCH}) || float8send((
        case when measure in ('income', 'realized_price', 'realized_currency') then amount_base else -amount_base end
    )::float8), '')
    from intermediate.ledger_entries
    where portfolio_id = any(%s) and entry_date <= %s and measure in (
        'income', 'realized_price', 'realized_currency', 'fee', 'tax', 'carried_price', 'carried_currency'
    )
    group by portfolio_id, instrument_id
"""
ENTRY = np.dtype([("day", ">i4"), ("gain", ">f8")])

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
        string_agg(int4send(day - {_EPOCH}), ''), string_agg(float8send(price::float8), '')
    from priced where price is not null and day between %s and %s
    group by base_currency, instrument_id
"""
# of benchmarks and of everything held
_RETURNS = f"""
    select base_currency, instrument_id,
        string_agg(int4send(valuation_date - {_EPOCH}), ''), string_agg(float8send(daily_return), '')
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


def read_series(conn: Connection, portfolio_ids: Sequence[str], as_of_date: date) -> DailySeries:
    """The daily rows of these portfolios up to `as_of_date`, in the order of the portfolios given.

    Raises:
        DailySeriesError: a portfolio's days are not consecutive, or it has none.
    """
    place = {portfolio_id: row for row, portfolio_id in enumerate(portfolio_ids)}
    return lay_out(portfolio_ids, [_published_days(conn, place), _computed_days(conn, place, as_of_date)])


def read_from_days(conn: Connection, portfolio_ids: Sequence[str]) -> Integers:
    """(portfolios,) day number from which on the run computes; -1: the whole history."""
    found = conn.execute(
        f"select portfolio_id, from_date - {_EPOCH} from ops.run_scope"
        " where from_date is not null and portfolio_id = any(%s)",
        [list(portfolio_ids)],
    )
    from_day = dict(found.fetchall())
    return np.array([from_day.get(portfolio_id, -1) for portfolio_id in portfolio_ids], dtype=np.int64)


def _published_days(conn: Connection, place: Mapping[str, int]) -> PackedDays:
    with conn.cursor(binary=True) as cursor:
        found = cursor.execute(_PUBLISHED, [list(place)]).fetchall()
    owners, days, events = zip(*found, strict=True) if found else ((), (), ())
    rows = np.array([place[portfolio_id] for portfolio_id in owners], dtype=np.int64)
    return unpack(rows, days, events, read_from_days(conn, list(place)))


def _computed_days(conn: Connection, place: Mapping[str, int], as_of_date: date) -> PackedDays:
    with conn.cursor(binary=True) as cursor:
        found = cursor.execute(_DAILY.encode(), [list(place), as_of_date]).fetchall()
    names, day_numbers, rare, marks, *packed = zip(*found, strict=True) if found else ((),) * (4 + len(DENSE))
    rows = np.array([place[portfolio_id] for portfolio_id in names], dtype=np.int64)
    numbers = dict(zip((*_RATES, *_AMOUNTS), (b"".join(column) for column in packed), strict=True))
    day = np.frombuffer(b"".join(day_numbers), ">i4")
    days = np.zeros(len(day), DAY)
    days["day"] = day
    days["marks"] = np.frombuffer(b"".join(marks), ">i2")
    for name in _RATES:
        days[name] = np.frombuffer(numbers[name], ">f8")
    for name in _AMOUNTS:
        days[name] = _decoded([numbers[name]])[0]
    decoded, counts = _decoded([block or b"" for block in rare])
    width = 1 + len(RARE)
    amounts = decoded.reshape(-1, width)
    events = np.zeros(len(amounts), EVENT)
    events["day"] = amounts[:, 0]
    for column, name in enumerate(RARE, start=1):
        events[name] = amounts[:, column]
    return PackedDays(
        owner=np.repeat(rows, [len(block) // 4 for block in day_numbers]),
        days=days,
        event_owner=np.repeat(rows, counts // width),
        events=events,
    )


def _decoded(blocks: Sequence[bytes]) -> tuple[Floats, Integers]:
    """The packed numerics of all blocks, and how many each holds."""
    fields = np.frombuffer(b"".join(blocks), ">i2").astype(np.int16)
    ends = np.cumsum([len(block) // 2 for block in blocks], dtype=np.int64)
    numbers, counts = np.empty(len(fields) // 4), np.empty(len(blocks), dtype=np.int64)
    found = kernel(numeric_kernel.decode_numerics, len(numbers))(fields, ends, numbers, counts)
    return numbers[:found], counts


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


def read_holdings(conn: Connection, series: DailySeries, reference: Reference, as_of_date: date) -> Holdings:
    """Positions and entries of the portfolios of a series, with the rows of their prices."""
    ids = series.portfolio_ids
    positions = _read_records(conn, _POSITIONS, [as_of_date, ids, as_of_date], POSITION)
    entries = _read_records(conn, _ENTRIES, [ids, as_of_date], ENTRY)
    return holdings_from_frames(positions, entries, series, reference)


def _read_records(conn: Connection, query: str, parameters: Sequence[object], kind: np.dtype) -> pl.DataFrame:
    """One row a record of a query's rows of portfolio, instrument and packed records."""
    with conn.cursor(binary=True) as cursor:
        found = cursor.execute(query.encode(), parameters).fetchall()
    portfolio_ids, instrument_ids, blocks = zip(*found, strict=True) if found else ((), (), ())
    records = np.frombuffer(b"".join(blocks), kind)
    row = np.repeat(np.arange(len(blocks)), [len(block) // kind.itemsize for block in blocks])
    return pl.DataFrame(
        {
            "portfolio_id": pl.Series(portfolio_ids, dtype=pl.String).gather(row),
            "instrument_id": pl.Series(instrument_ids, dtype=pl.String).gather(row),
            **{name: records[name].astype(kind[name].newbyteorder("=")) for name in kind.names or ()},
        }
    )


def holdings_from_frames(
    positions: pl.DataFrame, entries: pl.DataFrame, series: DailySeries, reference: Reference
) -> Holdings:
    """Lay out positions and entries by portfolio and instrument.

    Within a holding they are sorted by all columns: the last bits of a sum must not depend on the order of a table.
    """
    key = ["portfolio_id", "instrument_id"]
    found = pl.concat([positions.select(key), entries.select(key)]).unique()
    found = found.join(_ranks(series.portfolio_ids), on="portfolio_id").sort("owner", "instrument_id")
    found = found.with_row_index("holding").with_columns(pl.col("holding").cast(pl.Int64))
    positions = positions.join(found, on=key).sort("holding", "valid_from", "valid_to", "quantity", "cost")
    entries = entries.join(found, on=key).sort("holding", "day", "gain")
    instrument_ids, owner = found["instrument_id"].to_list(), _integers(found["owner"])
    bases = [reference.base_currency[portfolio_id] for portfolio_id in series.portfolio_ids]
    pairs = [(bases[portfolio], instrument) for portfolio, instrument in zip(owner, instrument_ids, strict=True)]
    class_row, classes = _classes(series, reference, instrument_ids, owner)
    return Holdings(
        instrument_ids=instrument_ids,
        owner=owner,
        holding_offsets=_offsets(found["owner"], len(series.portfolio_ids)),
        price_row=np.array([reference.prices.rows.get(pair, -1) for pair in pairs], dtype=np.int64),
        prices=reference.prices.values,
        prices_first_day=reference.prices.first_day,
        position_offsets=_offsets(positions["holding"], found.height),
        valid_from=_integers(positions["valid_from"]),
        valid_to=_integers(positions["valid_to"]),
        quantity=_floats(positions["quantity"]),
        cost=_floats(positions["cost"]),
        entry_offsets=_offsets(entries["holding"], found.height),
        entry_day=_integers(entries["day"]),
        entry_gain=_floats(entries["gain"]),
        class_row=class_row,
        classes=classes,
    )


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


def _classes(
    series: DailySeries, reference: Reference, instrument_ids: Sequence[str], owner: Integers
) -> tuple[Integers, Classes]:
    held = [
        (int(portfolio), reference.asset_class[instrument])
        for instrument, portfolio in zip(instrument_ids, owner, strict=True)
    ]
    own: list[str | None] = [
        reference.asset_class[reference.benchmark[portfolio_id]] if portfolio_id in reference.benchmark else None
        for portfolio_id in series.portfolio_ids
    ]
    listed = {(portfolio, CASH_CLASS) for portfolio in range(len(own))} | set(held)
    listed |= {(portfolio, name) for portfolio, name in enumerate(own) if name is not None}
    rows = sorted(listed)
    place = {pair: row for row, pair in enumerate(rows)}
    owners = np.array([portfolio for portfolio, _ in rows], dtype=np.int64)
    classes = Classes(
        names=[name for _, name in rows],
        owner=owners,
        offsets=np.searchsorted(owners, np.arange(len(own) + 1)).astype(np.int64),
        is_cash=np.array([name == CASH_CLASS for _, name in rows], dtype=np.bool_),
        is_benchmark=np.array([name == own[portfolio] for portfolio, name in rows], dtype=np.bool_),
    )
    return np.array([place[pair] for pair in held], dtype=np.int64), classes


def _ranks(portfolio_ids: Sequence[str]) -> pl.DataFrame:
    return pl.DataFrame({"portfolio_id": list(portfolio_ids), "owner": np.arange(len(portfolio_ids), dtype=np.int64)})


def _offsets(sorted_groups: pl.Series, count: int) -> Integers:
    return np.searchsorted(sorted_groups.to_numpy(), np.arange(count + 1)).astype(np.int64)


def _integers(column: pl.Series) -> Integers:
    return np.ascontiguousarray(column.cast(pl.Int64).to_numpy())


def _floats(column: pl.Series) -> Floats:
    return np.ascontiguousarray(column.cast(pl.Float64).to_numpy())
