"""Jumps within one series of prices: which are too large to be believed, and what kind of mistake they look like.

Belongs here: arithmetic on one series in order of time. Must not be here: other sources' prices (comparing.py),
verdicts on a row by itself (acceptance.py).

A move is an outlier when it exceeds both the class's least move and so many robust standard deviations (1.4826 times
the median absolute deviation) of the moves before it. It is measured from the last good price, not from the last price,
so a held price is never the measure of the next one, and a price that comes back is good.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assets.market.thresholds import Thresholds

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

OUTLIER = "outlier"
SUSPECTED_SPLIT = "suspected_split"
SUSPECTED_UNIT = "suspected_unit"
SUSPECTED_INVERSE = "suspected_inverse"

#: Moves before a price that its own spread is taken from, and how many make one.
WINDOW, LEAST_MOVES = 60, 10
#: The level of a series without accepted history is the median of its first prices.
ANCHOR_BARS = 5
#: New shares for an old one; the reverse of each too.
SPLIT_RATIOS = (1.5, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0, 15.0, 20.0, 25.0, 30.0, 40.0, 50.0, 100.0)
SPLIT_CLASSES = frozenset({"equity", "etf"})
#: A split's day has a move of its own: 8 % to each side, a factor between plain ratios.
SPLIT_TOLERANCE = 0.08
#: An action is looked for so many days around a jump.
ACTION_DAYS = 4.0
#: Money traded is no more than so many times what it is on other days: a real crash has the volume of a crash.
USUAL_TURNOVER = 3.0
#: Powers of ten: pence for pounds, cents, a token's decimals.
UNIT_TOLERANCE = 0.05
INVERSE_TOLERANCE = 0.05
#: A move of which nothing is left so many bars after the next one is not confirmed by the next one.
RETURN_BARS = 3
#: The next bar of the same source does not confirm a move of more than so many times `move_without_history`.
MOST_ALONE = 2.0
_MAD_TO_DEVIATION = 1.4826
_MOST_BARS_BETWEEN = 30.0
_MOST_TOLERANCE = 0.5


@dataclass(frozen=True, slots=True)
class Series:
    """One source's prices of one instrument in order of time.

    Attributes:
        days: (n,) time of each in days.
        logs: (n,) natural logarithm of the close, NaN where the row is refused for itself.
        volumes: (n,) NaN = not told.
        is_accepted: (n,) counts already.
        is_confirmed: (n,) another source has the same price.
        bar_days: length of a bar in days, 1 for shorter ones: limits hold for a day.
        asset_class: as in thresholds.
        actions: (k, 2) ex-date in days and logarithm of new shares for an old one.
    """

    days: Floats
    logs: Floats
    volumes: Floats
    is_accepted: Bools
    is_confirmed: Bools
    bar_days: float
    asset_class: str
    actions: Sequence[tuple[float, float]] = ()


def suspicions(series: Series, limits: Thresholds) -> tuple[list[str | None], Floats]:
    """What each price is suspected of.

    Returns:
        A reason or None for each row (None too where it is NaN or accepted), and the logarithm of the last good price
        before each, NaN where there is none.
    """
    logs, days = series.logs.tolist(), series.days.tolist()
    count = len(logs)
    reasons: list[str | None] = [None] * count
    references = np.full(count, np.nan)
    good: list[int] = []  # accepted or believed rows so far
    level, at = _anchor(series, limits)
    following = _next_rows(logs)
    held: tuple[float, str] | None = None  # the last price that the next bar does not confirm
    for i in range(count):
        references[i] = level
        log = logs[i]
        if math.isnan(log):
            continue
        if not series.is_accepted[i] and not math.isnan(level):
            bars = min(max((days[i] - at) / series.bar_days, 1.0), _MOST_BARS_BETWEEN) if good else 1.0
            limit = limits.least_move * math.sqrt(bars)
            if abs(log - level) > limit:
                one_bar = _limit(series, good, limits)
                reason = _reason(series, i, level, one_bar * math.sqrt(bars))
                if reason is not None and held is not None and abs(log - held[0]) <= one_bar:
                    reason = held[1]  # it stands beside a price that is not believed
                j = following[i]
                may_persist = reason == OUTLIER and abs(log - level) <= MOST_ALONE * limits.move_without_history
                is_beside = j is not None and 0.0 < abs(logs[j] - log) <= one_bar
                if is_beside and any(abs(later - level) <= one_bar / 2 for later in logs[i + 1 : i + 2 + RETURN_BARS]):
                    is_beside = False  # gone again as it came: two wrong bars confirm each other
                if reason is not None and not may_persist:
                    held = (log, reason)
                if (may_persist and is_beside) or (series.is_confirmed[i] and reason != SUSPECTED_SPLIT):
                    reason = None
                reasons[i] = reason
        if reasons[i] is None:
            level, at, held = log, days[i], None
            good.append(i)
    return reasons, references


def _anchor(series: Series, limits: Thresholds) -> tuple[float, float]:
    """The level that the first price is measured from: unknown with too few prices to tell which of them is off."""
    first = [i for i in range(len(series.logs)) if not math.isnan(series.logs[i])][:ANCHOR_BARS]
    if len(first) < 3 or series.is_accepted[first[0]]:
        return math.nan, math.nan
    # as if known splits had not been
    logs = np.array(
        [series.logs[i] + sum(ratio for ex_day, ratio in series.actions if ex_day <= series.days[i]) for i in first]
    )
    if np.ptp(logs) <= limits.least_move:  # nothing stands out
        return math.nan, math.nan
    return float(np.median(logs)), float(series.days[first[0]])


def _limit(series: Series, good: list[int], limits: Thresholds) -> float:
    """The largest move of one bar that is believed."""
    rows = good[-WINDOW - 1 :]
    if len(rows) <= LEAST_MOVES:  # a first page: the series as a whole, whose median a few bad prices do not move
        rows = [i for i in range(len(series.logs)) if not math.isnan(series.logs[i])][: WINDOW + 1]
    if len(rows) <= LEAST_MOVES:
        return max(limits.least_move, limits.move_without_history)
    bars = np.maximum(np.diff(series.days[rows]) / series.bar_days, 1.0)
    moves = np.diff(series.logs[rows]) / np.sqrt(bars)
    spread = _MAD_TO_DEVIATION * float(np.median(np.abs(moves - np.median(moves))))
    return max(limits.least_move, limits.deviations * spread)


def _reason(series: Series, i: int, level: float, limit: float) -> str | None:
    """Which mistake a move looks like; None: it is no outlier, or a known action explains it."""
    log = float(series.logs[i])
    move = log - level
    if series.asset_class in SPLIT_CLASSES:
        day = float(series.days[i])
        if any(
            abs(move + ratio) <= max(SPLIT_TOLERANCE, limit) and -ACTION_DAYS <= day - ex_day <= ACTION_DAYS
            for ex_day, ratio in series.actions
        ):
            return None
    if abs(move) <= limit:
        return None
    tens = abs(move) / math.log(10.0)
    # a factor of ten may be true; a hundred is not, whatever the day's own move
    tolerance = UNIT_TOLERANCE if round(tens) == 1 else max(UNIT_TOLERANCE, min(limit, _MOST_TOLERANCE))
    is_power = round(tens) >= 1 and abs(tens - round(tens)) * math.log(10.0) <= tolerance
    if is_power and not _is_split(series, i, move):
        return SUSPECTED_UNIT
    if abs(log + level) <= INVERSE_TOLERANCE:
        return SUSPECTED_INVERSE
    return SUSPECTED_SPLIT if _is_split(series, i, move) else OUTLIER


def _is_split(series: Series, i: int, move: float) -> bool:
    if series.asset_class not in SPLIT_CLASSES:
        return False
    if min(abs(abs(move) - math.log(ratio)) for ratio in SPLIT_RATIOS) > SPLIT_TOLERANCE:
        return False
    before = series.volumes[max(i - WINDOW, 0) : i] * np.exp(series.logs[max(i - WINDOW, 0) : i])
    before = before[np.isfinite(before) & (before > 0)]
    turnover = series.volumes[i] * math.exp(series.logs[i])
    if not before.size or not np.isfinite(turnover) or turnover <= 0:
        return True  # volume does not say otherwise
    return abs(math.log(turnover / float(np.median(before)))) <= math.log(USUAL_TURNOVER)


def _next_rows(logs: Sequence[float]) -> list[int | None]:
    """For each row the next one with a price."""
    following: list[int | None] = [None] * len(logs)
    later: int | None = None
    for i in range(len(logs) - 1, -1, -1):
        following[i] = later
        if not math.isnan(logs[i]):
            later = i
    return following
