"""One source's prices beside the others': who agrees, who contradicts, whose days are shifted.

Belongs here: pairing prices of one moment. Must not be here: what follows from it (acceptance.py).
Prices are compared in one money: `level` is the close in it, and prices whose money has no rate are compared with
prices in the same currency only.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

#: Sources that pass on another one's prices say nothing new.
SAME_ORIGIN = {"defillama": "coingecko"}
#: Latest prices of two sources are of one moment within this.
NEAR = "15m"
#: The moves of two sources belong together when they correlate like this, and do not when like that.
_ALIKE, _UNLIKE = 0.8, 0.5
_LEAST_COMMON = 12

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Pairs:
    """Every price of one moment at two sources of different origin, once for each side.

    Attributes:
        row: position in the frame, of the price that is looked at.
        other: position of the one beside it.
        distance: absolute logarithm of their ratio.
    """

    row: NDArray[np.int64]
    other: NDArray[np.int64]
    distance: Floats


def pairs_of(rows: pl.DataFrame) -> Pairs:
    """Pair the rows of a frame.

    Args:
        rows: instrument_id, resolution, money, source, opened_at, level (NaN: never paired), position.
    """
    sound = rows.filter(pl.col("level").is_finite() & (pl.col("level") > 0)).with_columns(
        origin=pl.col("source").replace(SAME_ORIGIN)
    )
    if sound["origin"].n_unique() < 2:
        nothing = np.array([], dtype=np.int64)
        return Pairs(nothing, nothing, np.array([], dtype=np.float64))
    keys = ["instrument_id", "resolution", "money"]
    columns = [*keys, "opened_at", "origin", "level", "position"]
    bars = sound.filter(pl.col("resolution") != "tick").select(columns)
    found = [bars.join(bars, on=[*keys, "opened_at"], suffix="_other").select("origin", "origin_other", "level",
             "level_other", "position", "position_other")]  # fmt: skip
    ticks = sound.filter(pl.col("resolution") == "tick").select(columns).sort("opened_at")
    for origin in ticks["origin"].unique().sort():
        others = ticks.filter(pl.col("origin") == origin).rename(
            {"origin": "origin_other", "level": "level_other", "position": "position_other"}
        )
        found.append(
            ticks.filter(pl.col("origin") != origin)
            .join_asof(others, on="opened_at", by=keys, strategy="nearest", tolerance=NEAR, check_sortedness=False)
            .drop_nulls("position_other")
            .select("origin", "origin_other", "level", "level_other", "position", "position_other")
        )
    both = pl.concat(found).filter(pl.col("origin") != pl.col("origin_other"))
    distance = (both["level"].log() - both["level_other"].log()).abs().to_numpy()
    return Pairs(both["position"].to_numpy(), both["position_other"].to_numpy(), distance)


def count(pairs: Pairs, where: Bools, size: int) -> NDArray[np.int64]:
    """For each of `size` rows, how many of its pairs `where` holds for."""
    return np.bincount(pairs.row[where], minlength=size)


def is_shifted(own: Floats, other: Floats) -> bool:
    """Whether one source's moves are the other's of one bar earlier or later: a day or a time zone too far.

    Args:
        own: (n,) logarithms of prices at common times, in order, without NaN.
        other: (n,) of the other source.
    """
    if len(own) < _LEAST_COMMON:
        return False
    a, b = np.diff(own), np.diff(other)
    return _correlation(a, b) < _UNLIKE and max(_correlation(a[1:], b[:-1]), _correlation(a[:-1], b[1:])) > _ALIKE


def _correlation(a: Floats, b: Floats) -> float:
    a, b = a - a.mean(), b - b.mean()
    size = float(np.sqrt((a @ a) * (b @ b)))
    return 0.0 if size == 0.0 else float(a @ b) / size
