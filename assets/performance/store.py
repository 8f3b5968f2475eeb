"""Reads the daily table of the run's scope, measures every standard period, writes intermediate.performance.

Belongs here: SQL and COPY of this step, and how many portfolios are held in memory at once. Must not be here: any
formula. The run's transaction is the caller's.
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import polars as pl

from assets.performance import reasons
from assets.performance.compute import PerformanceRows, day_number, performance_rows
from assets.performance.periods import DAILY_PERIODS, INTRADAY_PERIODS, first_day
from assets.performance.series import FLAGS, NUMBERS, DailySeries, check_days
from assets.warehouse.database import Connection, copy_frame

DAILY_TABLE = "intermediate.int_all_days"
TARGET_TABLE = "intermediate.performance"

# about 22 columns of 8 bytes a row, and the rectangles of one period beside them: some 200 MB
CHUNK_ROWS = 250_000
# beyond this, binary fractions only show the noise of float64
MONEY_DECIMALS = 10

_SELECT_DAILY = f"""
    select portfolio_id, (valuation_date - date '1970-01-01') as day, {", ".join(NUMBERS)},
        coalesce(is_complete, false)::int as is_complete, coalesce(is_market_day, false)::int as is_market_day,
        coalesce(trades_daily, false)::int as trades_daily, coalesce(flow_basis = 'observed', false)::int as is_observed
    from {DAILY_TABLE}
"""
_DAILY_SCHEMA: dict[str, type[pl.DataType]] = {
    "portfolio_id": pl.String,
    "day": pl.Int64,
    **dict.fromkeys(NUMBERS, pl.Float64),
    **dict.fromkeys(FLAGS, pl.Int64),
}


@dataclass(frozen=True)
class PerformanceSummary:
    """What one step wrote.

    Attributes:
        portfolios: how many have at least one day.
        days: rows of the daily table read.
        rows: rows written, one per portfolio and period type.
    """

    portfolios: int
    days: int
    rows: int

    def __str__(self) -> str:
        return f"{self.rows} periods of {self.portfolios} portfolios over {self.days:,} days"


def run_performance(conn: Connection, as_of_date: date) -> PerformanceSummary:
    """Replace intermediate.performance by the standard periods of every portfolio in build.portfolio_daily.

    Args:
        conn: in a transaction of the caller's.
        as_of_date: last day of every period.

    Raises:
        DailySeriesError: the daily table has a gap or a double day.
    """
    conn.execute(f"truncate {TARGET_TABLE}")
    portfolios = days = rows = 0
    for portfolio_ids in _chunks(conn, as_of_date):
        series = read_series(conn, portfolio_ids, as_of_date)
        frame = standard_periods(series, as_of_date)
        rows += copy_frame(conn, TARGET_TABLE, frame)
        portfolios += len(portfolio_ids)
        days += int(series.offsets[-1])
    conn.execute(f"analyze {TARGET_TABLE}")
    return PerformanceSummary(portfolios, days, rows)


def _chunks(conn: Connection, as_of_date: date) -> Iterator[list[str]]:
    """Portfolios in groups of about `CHUNK_ROWS` days; longest first, so that the rectangles waste little."""
    counted = conn.execute(
        f"select portfolio_id, count(*) from {DAILY_TABLE} where valuation_date <= %s group by 1 order by 2 desc, 1",
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


def read_series(conn: Connection, portfolio_ids: Sequence[str], as_of_date: date) -> DailySeries:
    """The daily rows of these portfolios up to `as_of_date`, in the order of the portfolios given."""
    buffer = io.BytesIO()
    statement = f"copy ({_SELECT_DAILY} where portfolio_id = any(%s) and valuation_date <= %s) to stdout (format csv)"
    with conn.cursor() as cursor, cursor.copy(statement, [list(portfolio_ids), as_of_date]) as copy:
        for block in copy:
            buffer.write(block)
    buffer.seek(0)
    frame = pl.read_csv(buffer, has_header=False, schema=_DAILY_SCHEMA)
    return series_from_frame(frame, portfolio_ids)


def series_from_frame(frame: pl.DataFrame, portfolio_ids: Sequence[str]) -> DailySeries:
    """Lay out rows (`portfolio_id`, `day`, the columns of `NUMBERS` and `FLAGS`) by portfolio and day."""
    rank = pl.DataFrame({"portfolio_id": list(portfolio_ids), "rank": range(len(portfolio_ids))})
    frame = frame.join(rank, on="portfolio_id").sort("rank", "day")
    ranks, days = frame["rank"].to_numpy(), frame["day"].to_numpy()
    offsets = np.searchsorted(ranks, np.arange(len(portfolio_ids) + 1)).astype(np.int64)
    numbers = {
        name: np.ascontiguousarray(frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy()) for name in NUMBERS
    }
    flags = {name: np.ascontiguousarray(frame[name].to_numpy() != 0) for name in FLAGS}
    series = DailySeries(list(portfolio_ids), offsets, days[offsets[:-1]], numbers, flags)
    check_days(series, days)
    return series


def standard_periods(series: DailySeries, as_of_date: date) -> pl.DataFrame:
    """The rows of intermediate.performance: every period type of every portfolio."""
    count = len(series.portfolio_ids)
    end = np.full(count, day_number(as_of_date))
    frames = [_intraday_frame(series.portfolio_ids, period, as_of_date) for period in INTRADAY_PERIODS]
    for period in DAILY_PERIODS:
        # a portfolio that ended earlier keeps its last day
        start = np.minimum(np.full(count, day_number(first_day(period, as_of_date))), series.last_day)
        frames.append(rows_frame(performance_rows(series, start, end), period))
    return pl.concat(frames, how="diagonal")


def rows_frame(rows: PerformanceRows, period_type: str) -> pl.DataFrame:
    """The columns of intermediate.performance; NaN becomes null, money is rounded to `MONEY_DECIMALS`."""
    columns: dict[str, pl.Series] = {
        "portfolio_id": pl.Series(rows.portfolio_ids, dtype=pl.String),
        "period_type": pl.Series([period_type] * len(rows.portfolio_ids), dtype=pl.String),
        "period_start": pl.Series(rows.period_start.astype("datetime64[D]")),
        "period_end": pl.Series(rows.period_end.astype("datetime64[D]")),
    }
    for name, measured in rows.measures.items():
        value = pl.Series(measured.value, dtype=pl.Float64).fill_nan(None)
        if name.endswith(("_base", "_usd")):
            value = value.round(MONEY_DECIMALS)
        columns[name] = value.cast(pl.Int64) if name == "drawdown_days" else value
    columns["annualization_days"] = pl.Series(rows.annualization_days, dtype=pl.Int64)
    for name in ("mwr_flag", "flow_basis", "undefined_reason"):
        columns[name] = pl.Series(getattr(rows, name), dtype=pl.String)
    return pl.DataFrame(columns)


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
