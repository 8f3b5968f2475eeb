"""Made-up prices for the tests of acceptance: random walks of known spread, as frames of bars."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from assets.market.acceptance_rows import COLUMNS

#: A Monday.
START = datetime(2024, 1, 1, tzinfo=UTC)
NOW = datetime(2024, 12, 31, 12, tzinfo=UTC)
SPREADS = {"crypto": 0.03, "equity": 0.015, "etf": 0.01, "fiat": 0.004, "token": 0.05}


def walk(bars: int, spread: float, seed: int = 1, start: float = 100.0) -> np.ndarray:
    """Closes whose daily moves have fat tails (Student's t of 4 degrees) and the given standard deviation."""
    moves = np.random.default_rng(seed).standard_t(4, bars) * spread / np.sqrt(2.0)
    return start * np.exp(np.cumsum(np.clip(moves, -4 * spread, 4 * spread)))


def bars(
    closes: np.ndarray | list[float],
    *,
    instrument: str = "crypto:AAA",
    asset_class: str = "crypto",
    source: str = "kraken",
    days: list[datetime] | None = None,
    currency: str = "fiat:USD",
    venue: str | None = None,
    rate: float | None = 1.0,
    seed: int = 9,
) -> pl.DataFrame:
    """Daily bars, one for each close, on consecutive days from START unless days are given."""
    close = np.asarray(closes, dtype=float)
    opened = days or [START + timedelta(days=i) for i in range(len(close))]
    random = np.random.default_rng(seed)
    before = np.r_[close[0], close[:-1]]
    spread = 1.0 + random.uniform(0.001, 0.01, len(close))
    return pl.DataFrame(
        {
            "instrument_id": instrument, "asset_class": asset_class, "venue": venue, "source": source,
            "resolution": "1d", "opened_at": opened,
            "priced_at": [at + timedelta(days=1, microseconds=-1) for at in opened],
            "open": before, "high": np.maximum(before, close) * spread, "low": np.minimum(before, close) / spread,
            "close": close, "volume": 1e8 / close * random.uniform(0.7, 1.4, len(close)), "currency": currency,
            "is_time_told": True, "rate": rate,
        },
        schema=COLUMNS,
    )  # fmt: skip


def change(frame: pl.DataFrame, row: int, **values: Any) -> pl.DataFrame:
    """The frame with other values in one row; prices given as a factor: `factor=100` multiplies the whole bar."""
    factor = values.pop("factor", None)
    if factor is not None:
        values |= {name: frame[name][row] * factor for name in ("open", "high", "low", "close")}
    at = pl.int_range(pl.len()) == row
    return frame.with_columns(
        pl.when(at).then(pl.lit(value, frame.schema[name])).otherwise(pl.col(name)).alias(name)
        for name, value in values.items()
    )


def none() -> pl.DataFrame:
    """No rows."""
    return pl.DataFrame(schema=COLUMNS)
