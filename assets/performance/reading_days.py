"""Reads the daily rows of portfolios: those that the run computes, and packed the ones that are published.

Belongs here: SQL that reads days, and decoding what it packs. Must not be here: the layout of packed months
(packed_days), any formula, writing (store).
"""

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np

from assets.performance import numeric_kernel
from assets.performance.compiled import kernel
from assets.performance.measures import Floats, Integers
from assets.performance.packed_days import DAY, DENSE, EVENT, RARE, PackedDays, lay_out, unpack
from assets.performance.series import DailySeries
from assets.warehouse.database import Connection

#: day number 0
EPOCH = "date '1970-01-01'"
#: the days that the run computes; the others of a portfolio are packed
DAILY_TABLE = "build.portfolio_daily"
# of the numbers of a packed day, those that are not numeric
_RATES = ("twr_return", "risk_free_rate")
_AMOUNTS = tuple(name for name in DENSE if name not in _RATES)


def _packed(numbers: str) -> str:
    return f"string_agg({numbers}, '' order by valuation_date)"


def _numeric(name: str) -> str:
    return f"numeric_send(coalesce({name}::numeric, 'NaN'))"


_HAS_RARE = f"filter (where ({' and '.join(f'{name} = 0' for name in RARE)}) is not true)"
_RARE_DAY = " || ".join([f"numeric_send((valuation_date - {EPOCH})::numeric)", *map(_numeric, RARE)])
#: a bit for each of the series' flags
_MARKS = """int2send((
    coalesce(is_complete, false)::int + 2 * coalesce(is_market_day, false)::int
    + 4 * coalesce(trades_daily, false)::int + 8 * coalesce(flow_basis = 'observed', false)::int
)::smallint)"""
# One row a portfolio, its days packed: the driver takes a microsecond for each row of a table, and a number costs less
# to send as it is than as text or as a double.
_DAILY = f"""
    select portfolio_id, {_packed(f"int4send(valuation_date - {EPOCH})")},
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
# packed months are not looked into: their length tells the days, but for those that the run computes again
_DAYS_OF = f"""
    select portfolio_id, sum(days)::integer
    from (
        select portfolio_id, count(*) as days
        from {DAILY_TABLE} inner join ops.run_scope using (portfolio_id)
        where valuation_date <= %s group by 1
        union all
        select months.portfolio_id, sum(octet_length(months.days)) / {DAY.itemsize}
        from intermediate.published_months as months
        inner join ops.run_scope as scope
            on scope.portfolio_id = months.portfolio_id and months.first_date < scope.from_date
        group by 1) as parts
    group by 1
"""


def days_of(conn: Connection, as_of_date: date) -> dict[str, int]:
    """Portfolio in scope -> about the number of its days; those without any are left out."""
    counted = conn.execute(_DAYS_OF, [as_of_date])
    return dict(counted.fetchall())


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
        f"select portfolio_id, from_date - {EPOCH} from ops.run_scope"
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
