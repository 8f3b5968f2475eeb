"""Measures every standard period of the run's scope and writes intermediate.performance and its like.

Belongs here: the order of reading, measuring and writing, and how many portfolios are held in memory at once. Must not
be here: any formula, the queries (reading_*), the columns (frames). The run's transaction is the caller's.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date

import polars as pl

from assets.performance.attribution import attributions
from assets.performance.comparison import PERIODS, Others, comparisons, equal_weight_days, others_of, together
from assets.performance.compute import day_number
from assets.performance.contribution import contributions
from assets.performance.frames import attribution_frame, comparison_frame, contribution_frame, standard_periods
from assets.performance.holdings import Holdings
from assets.performance.measures import Floats, Integers
from assets.performance.packed_days import PackedMonth, pack
from assets.performance.periods import first_day, period_days
from assets.performance.reading_days import days_of, read_from_days, read_series
from assets.performance.reading_holdings import read_holdings
from assets.performance.reading_reference import Reference, benchmark_days, read_reference, return_rows
from assets.performance.series import DailySeries
from assets.warehouse.database import Connection, copy_frame
from assets.warehouse.writing import made_ahead, write_meanwhile

TABLES = ("performance", "contribution", "attribution", "comparison")
PERFORMANCE, CONTRIBUTION, ATTRIBUTION, COMPARISON = TABLES

# about 22 columns of 8 bytes a row, of the next portfolios too, and the rectangles of one period: some 250 MB
CHUNK_ROWS = 250_000


@dataclass
class PerformanceSummary:
    """What one step wrote.

    Attributes:
        portfolios: how many have at least one day.
        days: rows of the daily table read.
        rows: rows written, by table.
        seconds: for the periods of portfolios: reading their days, measuring, writing, each as if alone, while other
            portfolios are at the next of the three; the rest is for contribution, attribution and comparison.
    """

    portfolios: int = 0
    days: int = 0
    seconds: float = 0.0
    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TABLES, 0))

    def __str__(self) -> str:
        return (
            f"{self.rows[PERFORMANCE]} periods of {self.portfolios} portfolios over {self.days:,} days"
            f" in {self.seconds:.2f} s, "
            f"{self.rows[CONTRIBUTION]} contributions"
        )


def run_performance(
    source: Connection, conn: Connection, as_of_date: date, clock: Callable[[], float] = time.perf_counter
) -> PerformanceSummary:
    """Replace `TABLES` of schema intermediate for every portfolio of the run's scope.

    Args:
        source: what is committed is read through it; another connection than `conn`.
        conn: in a transaction of the caller's.
        as_of_date: last day of every period.
        clock: seconds, for `PerformanceSummary.seconds`.

    Raises:
        DailySeriesError: the daily table has a gap or a double day.
    """
    summary = PerformanceSummary()
    conn.execute("truncate intermediate.computed_months, " + ", ".join(f"intermediate.{table}" for table in TABLES))

    def write(measured: _Measured) -> None:
        begun = clock()
        _write_months(conn, measured.months)
        copy_frame(conn, f"intermediate.{PERFORMANCE}", measured.frames[PERFORMANCE])
        summary.seconds += measured.seconds + clock() - begun
        for table in (CONTRIBUTION, ATTRIBUTION, COMPARISON):
            copy_frame(conn, f"intermediate.{table}", measured.frames[table])
        for table, frame in measured.frames.items():
            summary.rows[table] += frame.height
        summary.portfolios += measured.portfolios
        summary.days += measured.days

    reference = read_reference(source, as_of_date)
    groups = together(reference.user)
    with closing(made_ahead(_read(source, reference, groups, as_of_date, clock))) as read:
        write_meanwhile((_measured(part, reference, groups, as_of_date, clock) for part in read), write)
    for table in TABLES:
        # by the other columns nobody joins
        conn.execute(f"analyze intermediate.{table} (portfolio_id, period_type)")
    return summary


@dataclass(frozen=True)
class _Read:
    """What is measured of some portfolios: their days, from which on the run computes them, the seconds it took to read
    these, and what they held.
    """

    series: DailySeries
    from_days: Integers
    seconds: float
    holdings: Holdings


@dataclass(frozen=True)
class _Measured:
    """What is written of some portfolios: how many they are, their days, and the seconds that their periods took."""

    portfolios: int
    days: int
    seconds: float
    months: Sequence[PackedMonth]
    frames: Mapping[str, pl.DataFrame]


def _read(
    source: Connection, reference: Reference, groups: Mapping[str, str], as_of_date: date, clock: Callable[[], float]
) -> Iterator[_Read]:
    for portfolio_ids in chunks(days_of(source, as_of_date), groups):
        begun = clock()
        series = read_series(source, portfolio_ids, as_of_date)
        from_days = read_from_days(source, portfolio_ids)
        seconds = clock() - begun
        yield _Read(series, from_days, seconds, read_holdings(source, series, reference, as_of_date))


def _measured(
    part: _Read, reference: Reference, groups: Mapping[str, str], as_of_date: date, clock: Callable[[], float]
) -> _Measured:
    begun, series = clock(), part.series
    months = [*pack(series, part.from_days)]
    frames = {PERFORMANCE: standard_periods(series, as_of_date)}
    seconds = part.seconds + clock() - begun
    frames |= _parts_and_comparisons(series, part.holdings, reference, groups, as_of_date)
    return _Measured(len(series.portfolio_ids), int(series.offsets[-1]), seconds, months, frames)


def _parts_and_comparisons(
    series: DailySeries, holdings: Holdings, reference: Reference, groups: Mapping[str, str], as_of_date: date
) -> dict[str, pl.DataFrame]:
    """What the return is made of, and what it is compared with."""
    starts, ends = period_days(series, as_of_date)
    gave, class_days = contributions(series, holdings, starts, ends)
    benchmark = benchmark_days(series, reference)
    explained = attributions(series, holdings.classes, class_days, benchmark, starts, ends)
    others = _others(series, holdings, reference, groups, benchmark)
    compared = comparisons(series, others, [day_number(first_day(period, as_of_date)) for period in PERIODS])
    return {
        CONTRIBUTION: contribution_frame(series, holdings, gave),
        ATTRIBUTION: attribution_frame(series, holdings, explained),
        COMPARISON: comparison_frame(series, others, compared),
    }


def _write_months(conn: Connection, months: Sequence[PackedMonth]) -> None:
    """Hand the packed days of the months that the run computes to the publication."""
    target = (
        "copy intermediate.computed_months (portfolio_id, month, first_date, days, events) from stdin (format binary)"
    )
    with conn.cursor() as cursor, cursor.copy(target) as copy:
        copy.set_types(["text", "date", "date", "bytea", "bytea"])
        for portfolio_id, month, first_date, days, events in months:
            copy.write_row((portfolio_id, month.item(), first_date.item(), days, events))


def _others(
    series: DailySeries, holdings: Holdings, reference: Reference, groups: Mapping[str, str], benchmark: Floats
) -> Others:
    table = reference.returns
    weights = equal_weight_days(
        series, holdings, return_rows(series, holdings, reference), table.values, table.first_day
    )
    return others_of(series, groups, reference.benchmark, reference.with_dividends, benchmark, weights)


def chunks(days: Mapping[str, int], groups: Mapping[str, str]) -> Iterator[list[str]]:
    """Portfolios in chunks whose rectangle (portfolios x longest history) has about `CHUNK_ROWS` cells.

    Those compared with each other stay together. Groups with the longest history first, so that rectangles waste
    little.

    Args:
        days: portfolio -> number of its days.
        groups: portfolio -> group of those compared with each other.
    """
    members: dict[str, list[str]] = {}
    for portfolio_id in sorted(days, key=lambda name: (-days[name], name)):
        members.setdefault(groups[portfolio_id], []).append(portfolio_id)
    chunk: list[str] = []
    for group in members.values():
        # the first of the first group is the longest
        if chunk and (len(chunk) + len(group)) * days[chunk[0]] > CHUNK_ROWS:
            yield chunk
            chunk = []
        chunk = [*chunk, *group]
    if chunk:
        yield chunk
