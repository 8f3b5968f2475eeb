"""Measures every standard period of the run's scope and writes intermediate.performance, contribution, attribution.

Belongs here: writing, and how many portfolios are held in memory at once. Must not be here: any formula, reading
(loading). The run's transaction is the caller's.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date

import numpy as np
import polars as pl

from assets.performance import reasons
from assets.performance.attribution import AttributionRows, attributions
from assets.performance.compute import PerformanceRows, day_number, performance_rows
from assets.performance.contribution import ContributionRows, contributions
from assets.performance.holdings import Holdings
from assets.performance.loading import DAILY_TABLE, benchmark_days, read_holdings, read_reference, read_series
from assets.performance.measures import Integers, Measure
from assets.performance.periods import DAILY_PERIODS, INTRADAY_PERIODS, first_day
from assets.performance.series import DailySeries
from assets.warehouse.database import Connection, copy_frame

PERFORMANCE, CONTRIBUTION, ATTRIBUTION = TABLES = ("performance", "contribution", "attribution")

# about 22 columns of 8 bytes a row, and the rectangles of one period beside them: some 200 MB
CHUNK_ROWS = 250_000
# beyond this, binary fractions only show the noise of float64
MONEY_DECIMALS = 10


@dataclass
class PerformanceSummary:
    """What one step wrote.

    Attributes:
        portfolios: how many have at least one day.
        days: rows of the daily table read.
        rows: rows written, by table.
    """

    portfolios: int = 0
    days: int = 0
    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TABLES, 0))

    def __str__(self) -> str:
        return (
            f"{self.rows[PERFORMANCE]} periods of {self.portfolios} portfolios over {self.days:,} days, "
            f"{self.rows[CONTRIBUTION]} contributions"
        )


def run_performance(conn: Connection, as_of_date: date) -> PerformanceSummary:
    """Replace intermediate.performance, contribution and attribution for every portfolio of the run's scope.

    Args:
        conn: in a transaction of the caller's.
        as_of_date: last day of every period.

    Raises:
        DailySeriesError: the daily table has a gap or a double day.
    """
    summary = PerformanceSummary()
    conn.execute("truncate " + ", ".join(f"intermediate.{table}" for table in TABLES))
    reference = read_reference(conn, as_of_date)
    for portfolio_ids in _chunks(conn, as_of_date):
        series = read_series(conn, portfolio_ids, as_of_date)
        holdings = read_holdings(conn, series, reference, as_of_date)
        starts, ends = period_days(series, as_of_date)
        gave, class_days = contributions(series, holdings, starts, ends)
        explained = attributions(series, holdings.classes, class_days, benchmark_days(series, reference), starts, ends)
        frames = {
            PERFORMANCE: standard_periods(series, as_of_date),
            CONTRIBUTION: contribution_frame(series, holdings, gave),
            ATTRIBUTION: attribution_frame(series, holdings, explained),
        }
        for table, frame in frames.items():
            summary.rows[table] += copy_frame(conn, f"intermediate.{table}", frame)
        summary.portfolios += len(portfolio_ids)
        summary.days += int(series.offsets[-1])
    for table in TABLES:
        conn.execute(f"analyze intermediate.{table}")
    return summary


def _chunks(conn: Connection, as_of_date: date) -> Iterator[list[str]]:
    """Portfolios in groups of about `CHUNK_ROWS` days; longest first, so that the rectangles waste little."""
    counted = conn.execute(
        f"select portfolio_id, count(*) from {DAILY_TABLE} inner join ops.run_scope using (portfolio_id)"
        " where valuation_date <= %s group by 1 order by 2 desc, 1",
        [as_of_date],
    ).fetchall()
    chunk: list[str] = []
    cells = 0
    for portfolio_id, days in counted:
        if chunk and cells + days > CHUNK_ROWS:
            yield chunk
            chunk, cells = [], 0
        chunk.append(portfolio_id)
        cells += days
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
    for number, period in enumerate(DAILY_PERIODS):
        frames.append(rows_frame(performance_rows(series, starts[:, number], ends[:, number]), period))
    return pl.concat(frames, how="diagonal")


def contribution_frame(series: DailySeries, holdings: Holdings, rows: ContributionRows) -> pl.DataFrame:
    """The columns of intermediate.contribution."""
    names, instruments = np.array(series.portfolio_ids), np.array(holdings.instrument_ids)
    return pl.DataFrame(
        {
            "portfolio_id": pl.Series(names[holdings.owner[rows.holding]], dtype=pl.String),
            "period_type": pl.Series(np.array(DAILY_PERIODS)[rows.period], dtype=pl.String),
            "instrument_id": pl.Series(instruments[rows.holding], dtype=pl.String),
            **{name: _column(name, measured) for name, measured in rows.measures.items()},
            "undefined_reason": pl.Series(rows.undefined_reason, dtype=pl.String),
        }
    )


def attribution_frame(series: DailySeries, holdings: Holdings, rows: AttributionRows) -> pl.DataFrame:
    """The columns of intermediate.attribution."""
    names, classes = np.array(series.portfolio_ids), holdings.classes
    return pl.DataFrame(
        {
            "portfolio_id": pl.Series(names[classes.owner[rows.class_row]], dtype=pl.String),
            "period_type": pl.Series(np.array(DAILY_PERIODS)[rows.period], dtype=pl.String),
            "asset_class": pl.Series(np.array(classes.names)[rows.class_row], dtype=pl.String),
            **{name: _column(name, measured) for name, measured in rows.measures.items()},
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
        value = _column(name, measured)
        columns[name] = value.cast(pl.Int64) if name == "drawdown_days" else value
    columns["annualization_days"] = pl.Series(rows.annualization_days, dtype=pl.Int64)
    for name in ("mwr_flag", "flow_basis", "undefined_reason"):
        columns[name] = pl.Series(getattr(rows, name), dtype=pl.String)
    return pl.DataFrame(columns)


def _column(name: str, measured: Measure) -> pl.Series:
    """NaN becomes null, money is rounded to `MONEY_DECIMALS`."""
    value = pl.Series(measured.value, dtype=pl.Float64).fill_nan(None)
    return value.round(MONEY_DECIMALS) if name.endswith(("_base", "_usd")) else value


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
