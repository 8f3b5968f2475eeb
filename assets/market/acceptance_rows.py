"""The rows that acceptance looks at, as one frame, and the limits beside each.

Belongs here: columns, putting frames together, limits by row. Must not be here: rules (acceptance.py).
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assets.market.model import Resolution
from assets.market.thresholds import DEFAULT_CLASS, thresholds_of

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

#: Latest prices are bars of this resolution.
TICK = "tick"


#: What `judge` reads of a row; more columns are ignored, one that is missing is null.
COLUMNS: dict[str, pl.DataType] = {
    "instrument_id": pl.String(),
    "asset_class": pl.String(),
    "venue": pl.String(),  # as venue_of gives it
    "source": pl.String(),
    "resolution": pl.String(),
    "opened_at": pl.Datetime("us", "UTC"),
    "priced_at": pl.Datetime("us", "UTC"),
    "open": pl.Float64(),
    "high": pl.Float64(),
    "low": pl.Float64(),
    "close": pl.Float64(),
    "volume": pl.Float64(),
    "currency": pl.String(),
    "is_time_told": pl.Boolean(),
    "rate": pl.Float64(),  # of the currency in any one money at that time; null: unknown
}
ACTION_COLUMNS: dict[str, pl.DataType] = {"instrument_id": pl.String(), "ex_date": pl.Date(), "ratio": pl.Float64()}


def together(history: pl.DataFrame, new: pl.DataFrame, other_sources: pl.DataFrame) -> pl.DataFrame:
    """All rows in one frame, series by series in order of time; `part` 1 is what is judged."""
    parts = [
        frame.select(
            pl.col(name).cast(kind) if name in frame.columns else pl.lit(None, kind).alias(name)
            for name, kind in COLUMNS.items()
        ).with_columns(
            asset_class=pl.col("asset_class").fill_null(DEFAULT_CLASS),
            part=pl.lit(part, pl.Int8),
            position=pl.int_range(frame.height, dtype=pl.Int64),
        )
        for part, frame in ((1, new), (0, history), (2, other_sources))
    ]
    key = ["instrument_id", "resolution", "source", "currency"]
    rows = pl.concat(parts).sort([*key, "opened_at", "part", "position"])
    return rows.with_columns(
        series=pl.struct(key).rle_id().cast(pl.Int64),
        money=pl.when(pl.col("rate").is_null()).then(pl.col("currency")).otherwise(pl.lit("")),
        level=pl.col("close") * pl.col("rate").fill_null(1.0),
    )


def splits_by_instrument(actions: pl.DataFrame | None) -> dict[str, list[tuple[float, float]]]:
    """Day and logarithm of the ratio of each split, by instrument."""
    found: dict[str, list[tuple[float, float]]] = {}
    if actions is not None:
        for instrument, ex_date, ratio in actions.select(*ACTION_COLUMNS).iter_rows():
            if ratio is not None and ratio > 0:
                day = float(np.datetime64(ex_date, "D").astype(np.int64))
                found.setdefault(instrument, []).append((day, float(np.log(ratio))))
    return found


def steps_of(resolutions: pl.Series) -> NDArray[np.int64]:
    """Length of each bar in microseconds; 0 of latest prices."""
    lengths = {one.value: int(one.step.total_seconds() * 1e6) for one in Resolution} | {TICK: 0}
    return resolutions.replace_strict(lengths, return_dtype=pl.Int64).to_numpy()


def by_class(rows: pl.DataFrame, name: str) -> Floats:
    """A limit of data/acceptance.csv for each row."""
    values = {one: float(getattr(thresholds_of(one), name)) for one in rows["asset_class"].unique().to_list()}
    limits: Floats = rows["asset_class"].replace_strict(values, return_dtype=pl.Float64).to_numpy()
    return limits


def kinds_of_calendar(classes: pl.Series) -> dict[str, str]:
    """The kind of calendar of each class."""
    return {one: thresholds_of(one).calendar for one in classes.unique().to_list()}


def give(reasons: NDArray[np.object_], where: Bools, reason: str) -> None:
    """Give a reason to rows that have none yet."""
    reasons[where & (reasons == None)] = reason  # noqa: E711
