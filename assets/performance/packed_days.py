"""Daily rows packed by portfolio and month, so that a run for one more day reads the others as they lie.

Belongs here: the layout of the bytes, packing a series, laying packed and newly read days out as one series. Must not
be here: SQL (loading, store), any formula.

A month of a portfolio is a row with two strings of bytes: a `DAY` record for each day, and an `EVENT` record for each
day on which one of the rare amounts is not zero. Numbers are the float64 that the measures computed with when the days
were new, so that a run over packed days gives the same bits as one that reads them all. NaN is an unknown amount.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assets.performance.measures import Floats, Integers
from assets.performance.series import FLAGS, DailySeries, DailySeriesError, check_days

# amounts that are zero on most days
RARE = ("inflow_base", "outflow_base", "realized_pnl_base", "income_base", "fees_base", "taxes_base", "trade_fees_base")
DENSE = ("value_base", "unrealized_change_base", "currency_effect_base", "usd_rate", "twr_return", "risk_free_rate")

#: day number, a bit for each of `FLAGS`, the numbers
DAY = np.dtype([("day", "<i4"), ("marks", "u1"), *((name, "<f8") for name in DENSE)])
EVENT = np.dtype([("day", "<i4"), *((name, "<f8") for name in RARE)])

Records = NDArray[np.void]
#: portfolio, month, its first day there, days and events
PackedMonth = tuple[str, np.datetime64, np.datetime64, bytes, bytes]


@dataclass(frozen=True)
class PackedDays:
    """Records of many portfolios, in any order.

    Attributes:
        owner: (days,) index of the portfolio of each `DAY` record.
        days: (days,) of type `DAY`.
        event_owner: (events,) index of the portfolio of each `EVENT` record.
        events: (events,) of type `EVENT`.
    """

    owner: Integers
    days: Records
    event_owner: Integers
    events: Records


def unpack(owners: Integers, days: Sequence[bytes], events: Sequence[bytes], before: Integers) -> PackedDays:
    """The records of packed months that lie before a day of their portfolio.

    Args:
        owners: (months,) index of the portfolio.
        days: (months,).
        events: (months,).
        before: (portfolios,) day number from which on the records do not count.
    """
    owner, day_records = _records(owners, days, DAY, before)
    event_owner, event_records = _records(owners, events, EVENT, before)
    return PackedDays(owner, day_records, event_owner, event_records)


def _records(owners: Integers, blocks: Sequence[bytes], kind: np.dtype, before: Integers) -> tuple[Integers, Records]:
    records = np.frombuffer(b"".join(blocks), kind)
    owner = np.repeat(owners, [len(block) // kind.itemsize for block in blocks])
    counts = records["day"] < before[owner]
    return (owner, records) if counts.all() else (owner[counts], records[counts])


def lay_out(portfolio_ids: Sequence[str], parts: Sequence[PackedDays]) -> DailySeries:
    """The series of these portfolios from records of which each day has one.

    Raises:
        DailySeriesError: a portfolio's days are not consecutive, or it has none.
    """
    count = len(portfolio_ids)
    rows = np.zeros(count, dtype=np.int64)
    first_day, last_day = np.full(count, np.iinfo(np.int64).max), np.full(count, -1, dtype=np.int64)
    for part in parts:
        rows += np.bincount(part.owner, minlength=count)
        # of each stretch of one owner first: `at` takes a loop's step for each element
        begins = np.flatnonzero(np.diff(part.owner, prepend=-1))
        if len(begins):
            np.minimum.at(first_day, part.owner[begins], np.minimum.reduceat(part.days["day"], begins))
            np.maximum.at(last_day, part.owner[begins], np.maximum.reduceat(part.days["day"], begins))
    spans = zip(first_day.tolist(), last_day.tolist(), rows.tolist(), strict=True)
    check_days(dict(zip(portfolio_ids, spans, strict=True)), portfolio_ids)
    offsets = np.concatenate([[0], np.cumsum(rows)])
    total = int(offsets[-1])
    numbers = {name: np.empty(total) for name in DENSE} | {name: np.zeros(total) for name in RARE}
    marks, seen = np.zeros(total, dtype=np.uint8), np.zeros(total, dtype=np.bool_)
    place_of = offsets[:-1] - first_day
    for part in parts:
        place = place_of[part.owner] + part.days["day"]
        seen[place] = True
        marks[place] = part.days["marks"]
        for name in DENSE:
            numbers[name][place] = part.days[name]
        place = place_of[part.event_owner] + part.events["day"]
        for name in RARE:
            numbers[name][place] = part.events[name]
    if not seen.all():
        row = int(np.argmin(seen))
        portfolio = int(np.searchsorted(offsets, row, side="right")) - 1
        day = np.datetime64(int(row - place_of[portfolio]), "D")
        raise DailySeriesError(
            f"portfolio_daily of {portfolio_ids[portfolio]} lacks {day} and has another day twice: each day from "
            "inception to the as-of date must be there exactly once; rebuild build.portfolio_daily"
        )
    flags = {name: (marks & (1 << bit)) != 0 for bit, name in enumerate(FLAGS)}
    return DailySeries(list(portfolio_ids), offsets, first_day, numbers, flags)


def pack(series: DailySeries, from_day: Integers) -> Iterator[PackedMonth]:
    """Each whole month of each portfolio from that of its `from_day` on.

    Args:
        series: daily rows of the portfolios.
        from_day: (portfolios,) day numbers, before the first day: all months.
    """
    lengths = np.diff(series.offsets)
    owner = np.repeat(np.arange(len(lengths)), lengths)
    day = np.arange(int(series.offsets[-1])) - (series.offsets[:-1] - series.first_day)[owner]
    month = day.astype("datetime64[D]").astype("datetime64[M]")
    first_month = np.maximum(from_day, series.first_day).astype("datetime64[D]").astype("datetime64[M]")
    kept = np.flatnonzero(month >= first_month[owner])
    owner, day, month = owner[kept], day[kept], month[kept]
    days = _filled(DAY, day, {name: series.numbers[name][kept] for name in DENSE})
    days["marks"] = sum(series.flags[name][kept].astype(np.uint8) << bit for bit, name in enumerate(FLAGS))
    rare = {name: series.numbers[name][kept] for name in RARE}
    has_event = np.zeros(len(kept), dtype=np.bool_)
    for amounts in rare.values():
        has_event |= amounts != 0.0
    events = _filled(EVENT, day[has_event], {name: amounts[has_event] for name, amounts in rare.items()})
    # where a month of a portfolio begins, among the days and among the events
    begins = np.flatnonzero(np.diff(owner, prepend=-1) | (np.diff(month.astype(np.int64), prepend=-1) != 0))
    ends = np.append(begins[1:], len(kept))[: len(begins)]
    events_before = np.concatenate([[0], np.cumsum(has_event)])
    for begin, end in zip(begins.tolist(), ends.tolist(), strict=True):
        yield (
            series.portfolio_ids[owner[begin]],
            month[begin].astype("datetime64[D]"),
            day[begin].astype("datetime64[D]"),
            days[begin:end].tobytes(),
            events[events_before[begin] : events_before[end]].tobytes(),
        )


def _filled(kind: np.dtype, day: Integers, numbers: Mapping[str, Floats]) -> Records:
    records = np.zeros(len(day), kind)
    records["day"] = day
    for name, values in numbers.items():
        records[name] = values
    return records
