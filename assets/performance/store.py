"""Measures every standard period of the run's scope and writes intermediate.performance and its like.

Belongs here: writing, and how many portfolios are held in memory at once. Must not be here: any formula, reading
(loading). The run's transaction is the caller's.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import polars as pl
from polars import selectors

from assets.performance import reasons
from assets.performance.attribution import AttributionRows, attributions
from assets.performance.comparison import (
    PERIODS,
    ComparisonRows,
    Others,
    comparisons,
    equal_weight_days,
    others_of,
    together,
)
from assets.performance.compute import PerformanceRows, costs_and_value, day_number, performance_rows
from assets.performance.contribution import ContributionRows, contributions
from assets.performance.holdings import Holdings
from assets.performance.loading import (
    DAILY_TABLE,
    Reference,
    benchmark_days,
    read_from_days,
    read_holdings,
    read_reference,
    read_series,
    return_rows,
)
from assets.performance.measures import Floats, Integers, Measure
from assets.performance.packed_days import PackedMonth, pack
from assets.performance.periods import DAILY_PERIODS, INTRADAY_PERIODS, YEAR, first_day
from assets.performance.series import DailySeries, Range
from assets.warehouse.database import Connection, copy_frame

TABLES = ("performance", "contribution", "attribution", "comparison")
PERFORMANCE, CONTRIBUTION, ATTRIBUTION, COMPARISON = TABLES

# about 22 columns of 8 bytes a row, and the rectangles of one period beside them: some 200 MB
CHUNK_ROWS = 250_000
# beyond this, binary fractions only show the noise of float64
MONEY_DECIMALS = 10

# packed months are not looked into: how many there are is enough to share out the work
_DAYS_OF = f"""
    select portfolio_id, sum(days)::integer
    from (
        select portfolio_id, count(*) as days
        from {DAILY_TABLE} inner join ops.run_scope using (portfolio_id)
        where valuation_date <= %s group by 1
        union all
        select months.portfolio_id, 31 * count(*)
        from intermediate.published_months as months
        inner join ops.run_scope as scope
            on scope.portfolio_id = months.portfolio_id and months.first_date < scope.from_date
        group by 1) as parts
    group by 1
"""


@dataclass
class PerformanceSummary:
    """What one step wrote.

    Attributes:
        portfolios: how many have at least one day.
        days: rows of the daily table read.
        rows: rows written, by table.
        seconds: for the periods of portfolios: reading their days, measuring, writing; the rest is for contribution,
            attribution and comparison.
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

    What is measured is written while the next portfolios are read and measured: the server works on one core, this
    process on the other.

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
    reference = read_reference(source, as_of_date)
    groups = together(reference.user)
    with ThreadPoolExecutor(1) as thread:
        writing: Future[float] | None = None
        for portfolio_ids in chunks(days_of(source, as_of_date), groups):
            begun = clock()
            series = read_series(source, portfolio_ids, as_of_date)
            months = [*pack(series, read_from_days(source, portfolio_ids))]
            frames = {PERFORMANCE: standard_periods(series, as_of_date)}
            summary.seconds += clock() - begun
            frames |= _parts_and_comparisons(source, series, reference, groups, as_of_date)
            if writing is not None:
                summary.seconds += writing.result()
            writing = thread.submit(_write, conn, months, frames, clock)
            summary.portfolios += len(portfolio_ids)
            summary.days += int(series.offsets[-1])
            for table, frame in frames.items():
                summary.rows[table] += frame.height
        if writing is not None:
            summary.seconds += writing.result()
    for table in TABLES:
        # by the others nobody joins
        conn.execute(f"analyze intermediate.{table} (portfolio_id, period_type)")
    return summary


def _parts_and_comparisons(
    source: Connection, series: DailySeries, reference: Reference, groups: Mapping[str, str], as_of_date: date
) -> dict[str, pl.DataFrame]:
    """What the return is made of, and what it is compared with."""
    holdings = read_holdings(source, series, reference, as_of_date)
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


def _write(
    conn: Connection, months: Sequence[PackedMonth], frames: Mapping[str, pl.DataFrame], clock: Callable[[], float]
) -> float:
    """Write the rows of some portfolios; returns the seconds that their days and periods took."""
    begun = clock()
    _write_months(conn, months)
    copy_frame(conn, f"intermediate.{PERFORMANCE}", frames[PERFORMANCE])
    seconds = clock() - begun
    for table in (CONTRIBUTION, ATTRIBUTION, COMPARISON):
        copy_frame(conn, f"intermediate.{table}", frames[table])
    return seconds


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
    return others_of(
        series, together(reference.user), reference.benchmark, reference.with_dividends, benchmark, weights
    )


def days_of(conn: Connection, as_of_date: date) -> dict[str, int]:
    """Portfolio in scope -> about the number of its days; those without any are left out."""
    counted = conn.execute(_DAYS_OF, [as_of_date])
    return dict(counted.fetchall())


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


def period_days(series: DailySeries, as_of_date: date) -> tuple[Integers, Integers]:
    """(portfolios, periods) first and last day number of each of `DAILY_PERIODS`, within the history."""
    asked = np.array([[day_number(first_day(period, as_of_date)) for period in DAILY_PERIODS]])
    ends = np.minimum(day_number(as_of_date), series.last_day)[:, None] + np.zeros_like(asked)
    # a portfolio that ended earlier keeps its last day
    return np.clip(asked, series.first_day[:, None], ends), ends


def standard_periods(series: DailySeries, as_of_date: date) -> pl.DataFrame:
    """The rows of intermediate.performance: every period type of every portfolio."""
    frames = [_intraday_frame(series.portfolio_ids, period, as_of_date) for period in INTRADAY_PERIODS]
    starts, ends = period_days(series, as_of_date)
    history = Range(series, series.first_day, ends[:, 0])
    for number, period_type in enumerate(DAILY_PERIODS):
        period = history.since(starts[:, number])
        frame = rows_frame(performance_rows(period), period_type)
        if period_type == YEAR:
            costs, average_value = costs_and_value(period)
            frame = frame.with_columns(
                costs_base=_column(costs).round(MONEY_DECIMALS),
                average_value_base=_column(average_value).round(MONEY_DECIMALS),
            )
        frames.append(frame)
    return pl.concat(frames, how="diagonal")


def contribution_frame(series: DailySeries, holdings: Holdings, rows: ContributionRows) -> pl.DataFrame:
    """The columns of intermediate.contribution."""
    names, instruments = np.array(series.portfolio_ids), np.array(holdings.instrument_ids)
    return _frame(
        {
            "portfolio_id": pl.Series(names[holdings.owner[rows.holding]], dtype=pl.String),
            "period_type": pl.Series(np.array(DAILY_PERIODS)[rows.period], dtype=pl.String),
            "instrument_id": pl.Series(instruments[rows.holding], dtype=pl.String),
            **{name: _column(measured) for name, measured in rows.measures.items()},
            "undefined_reason": pl.Series(rows.undefined_reason, dtype=pl.String),
        }
    )


def attribution_frame(series: DailySeries, holdings: Holdings, rows: AttributionRows) -> pl.DataFrame:
    """The columns of intermediate.attribution."""
    names, classes = np.array(series.portfolio_ids), holdings.classes
    return _frame(
        {
            "portfolio_id": pl.Series(names[classes.owner[rows.class_row]], dtype=pl.String),
            "period_type": pl.Series(np.array(DAILY_PERIODS)[rows.period], dtype=pl.String),
            "asset_class": pl.Series(np.array(classes.names)[rows.class_row], dtype=pl.String),
            **{name: _column(measured) for name, measured in rows.measures.items()},
            "undefined_reason": pl.Series(rows.undefined_reason, dtype=pl.String),
        }
    )


def comparison_frame(series: DailySeries, others: Others, rows: ComparisonRows) -> pl.DataFrame:
    """The columns of intermediate.comparison."""
    pairs = {
        "portfolio_id": np.array(series.portfolio_ids)[others.own],
        "other_id": np.array(others.ids),
        "other_kind": np.array(others.kinds),
        "other_basis": np.array(others.bases),
    }
    return _frame(
        {
            **{name: pl.Series(column[rows.pair], dtype=pl.String) for name, column in pairs.items()},
            "period_type": pl.Series(np.array(PERIODS)[rows.period], dtype=pl.String),
            "period_start": pl.Series(rows.period_start.astype("datetime64[D]")),
            "period_end": pl.Series(rows.period_end.astype("datetime64[D]")),
            **{name: _column(measured) for name, measured in rows.measures.items()},
            "observations": pl.Series(rows.observations, dtype=pl.Int64),
            "undefined_reason": pl.Series(rows.undefined_reason, dtype=pl.String),
        }
    )


def rows_frame(rows: PerformanceRows, period_type: str) -> pl.DataFrame:
    """The columns of intermediate.performance; NaN becomes null, money is rounded to `MONEY_DECIMALS`."""
    columns: dict[str, pl.Series] = {
        "portfolio_id": pl.Series(rows.portfolio_ids, dtype=pl.String),
        "period_type": pl.Series([period_type] * len(rows.portfolio_ids), dtype=pl.String),
        "period_start": pl.Series(rows.period_start.astype("datetime64[D]")),
        "period_end": pl.Series(rows.period_end.astype("datetime64[D]")),
    }
    for name, measured in rows.measures.items():
        value = _column(measured)
        columns[name] = value.cast(pl.Int64) if name == "drawdown_days" else value
    columns["annualization_days"] = pl.Series(rows.annualization_days, dtype=pl.Int64)
    for name in ("mwr_flag", "flow_basis", "undefined_reason"):
        columns[name] = pl.Series(getattr(rows, name), dtype=pl.String)
    return _frame(columns)


def _column(measured: Measure) -> pl.Series:
    return pl.Series(measured.value, dtype=pl.Float64, nan_to_null=True)


def _frame(columns: Mapping[str, pl.Series]) -> pl.DataFrame:
    """Money is rounded to `MONEY_DECIMALS`: all its columns at once, for each call of polars has its price."""
    return pl.DataFrame(columns).with_columns(selectors.ends_with("_base", "_usd").round(MONEY_DECIMALS))


def _intraday_frame(portfolio_ids: Sequence[str], period_type: str, as_of_date: date) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "portfolio_id": list(portfolio_ids),
            "period_type": [period_type] * len(portfolio_ids),
            "period_start": [as_of_date] * len(portfolio_ids),
            "period_end": [as_of_date] * len(portfolio_ids),
            "undefined_reason": [reasons.pair(reasons.ALL, reasons.NO_INTRADAY_PRICES)] * len(portfolio_ids),
        }
    )
