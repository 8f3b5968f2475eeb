"""Made daily rows for the tests of performance: one builder, used by the unit tests and by the equivalence test."""

from datetime import date
from typing import Any

import numpy as np
import polars as pl

from assets.performance.compute import day_number
from assets.performance.series import FLAGS, NUMBERS, DailySeries


def daily_rows(
    first_day: date, returns: list[float | None], *, start: float = 1_000_000.0, **columns: Any
) -> pl.DataFrame:
    """One portfolio whose value follows `returns`; row 0 is the day before them, funded with `start`, return 0.

    `columns` overrides whole columns (a list) or sets a constant.
    """
    values = start * np.cumprod([1.0, *(1.0 + (r or 0.0) for r in returns)])
    count = len(values)
    rows: dict[str, Any] = dict.fromkeys(NUMBERS, 0.0) | dict.fromkeys(FLAGS, 1)
    rows |= {"portfolio_id": "p", "day": day_number(first_day) - 1 + np.arange(count), "value_base": values}
    rows |= {"inflow_base": [start] + [0.0] * (count - 1), "twr_return": [0.0, *returns], "usd_rate": 1.0}
    rows |= {"is_observed": 0, **columns}
    return pl.DataFrame({name: pl.Series(name, _repeat(value, count), strict=False) for name, value in rows.items()})


def daily_series(frame: pl.DataFrame) -> DailySeries:
    """The series of a frame of rows, its portfolios in order of name."""
    return series_from_frame(frame, sorted(set(frame["portfolio_id"])))


def series_from_frame(frame: pl.DataFrame, portfolio_ids: list[str]) -> DailySeries:
    """Lay out rows (`portfolio_id`, `day`, the columns of `NUMBERS` and `FLAGS`) by portfolio and day."""
    rank = pl.DataFrame({"portfolio_id": portfolio_ids, "rank": range(len(portfolio_ids))})
    frame = frame.join(rank, on="portfolio_id").sort("rank", "day")
    offsets = np.searchsorted(frame["rank"].to_numpy(), np.arange(len(portfolio_ids) + 1)).astype(np.int64)
    numbers = {name: frame[name].cast(pl.Float64).fill_null(np.nan).to_numpy().copy() for name in NUMBERS}
    flags = {name: frame[name].to_numpy() != 0 for name in FLAGS}
    return DailySeries(portfolio_ids, offsets, frame["day"].to_numpy()[offsets[:-1]], numbers, flags)


def _repeat(value: Any, count: int) -> Any:
    return value if isinstance(value, (list, np.ndarray)) else [value] * count
