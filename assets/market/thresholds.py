"""What acceptance allows by asset class, and where instruments trade: two reviewed tables.

Belongs here: reading data/acceptance.csv and data/venues.csv. Must not be here: the rules that use them.
Moves are natural logarithms of ratios (0.25 is +28 % or −22 %); limits hold for a day and shorter, and grow with the
square root of the days between two prices.
"""

import csv
from dataclasses import dataclass
from datetime import timedelta
from functools import cache
from importlib.resources import files

#: A class that the table does not name is judged as the loosest one.
DEFAULT_CLASS = "custom"


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Of one class.

    Attributes:
        calendar: `always`; `week`: closed on Saturdays and Sundays; `venue`: the sessions of its exchange.
        least_move: a smaller move is never an outlier.
        deviations: an outlier moves by more than so many robust standard deviations of the moves before.
        move_without_history: stands in for both where too few moves are known.
        disagreement: two sources farther apart than this contradict each other; closer, they confirm each other.
        frozen_bars: so many equal bars after the first are a feed that stands still.
        latest_age: an older latest price is stale, counted in the time that the market was open.
        ohlc_tolerance: part of the close by which open and close may leave the range of low and high.
    """

    calendar: str
    least_move: float
    deviations: float
    move_without_history: float
    disagreement: float
    frozen_bars: int
    latest_age: timedelta
    ohlc_tolerance: float


@cache
def thresholds() -> dict[str, Thresholds]:
    """data/acceptance.csv by asset class."""
    return {
        row["asset_class"]: Thresholds(
            row["calendar"], float(row["least_move"]), float(row["deviations"]), float(row["move_without_history"]),
            float(row["disagreement"]), int(row["frozen_bars"]), timedelta(minutes=int(row["latest_age_minutes"])),
            float(row["ohlc_tolerance"]),
        )
        for row in _rows("acceptance.csv")
    }  # fmt: skip


def thresholds_of(asset_class: str) -> Thresholds:
    """Of one class, the loosest for a class that nobody reviewed."""
    return thresholds().get(asset_class) or thresholds()[DEFAULT_CLASS]


def venue_of(asset_class: str, symbol: str | None) -> str | None:
    """The calendar of the exchange where a thing trades, by its symbol at Yahoo: `VWCE.DE` → `XETR`.

    None: the class has no exchange hours, or the exchange is not in data/venues.csv; then no day is called closed.
    """
    if thresholds_of(asset_class).calendar != "venue" or symbol is None:
        return None
    name, dot, suffix = symbol.rpartition(".")
    return _venues().get(f".{suffix}" if dot and name else "")


@cache
def _venues() -> dict[str, str]:
    return {row["suffix"]: row["calendar"] for row in _rows("venues.csv")}


def _rows(name: str) -> list[dict[str, str]]:
    text = files("assets.market.data").joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
