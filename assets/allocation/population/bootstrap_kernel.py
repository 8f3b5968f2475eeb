"""Resampled Sharpe ratios of many portfolios, in loops that numba compiles (see assets.performance.compiled).

Belongs here: sums over blocks of days. Must not be here: anything that numba does not compile, where blocks begin
(bootstrap).

A block that begins on day s of t takes days s, s + 1, ... and goes on from the first after the last (Politis and Romano
1992, A circular block-resampling procedure for stationary data). Sums over a block are differences of running sums, so
that a resample costs its number of blocks and not of days.
"""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Days = NDArray[np.uint16]

# below it, a deviation is rounding
ZERO_DEVIATION = 1e-12


def fill_ratios(
    returns: Floats,
    offsets: Integers,
    members: Integers,
    weights: Floats,
    starts: Days,
    length: int,
    risk_free: Floats,
    periods: float,
    ratios: Floats,
) -> None:
    """Fill `ratios` (portfolios, 1 + resamples): the Sharpe ratio of the days as they were, then of each resample.

    Args:
        returns: (N, t).
        offsets: (portfolios + 1,) members of portfolio j are members[offsets[j]:offsets[j + 1]].
        members: positions.
        weights: as members, restored every day.
        starts: (resamples, blocks) first days of blocks; the last is cut so that t days are taken.
        length: days of a block.
        risk_free: (portfolios,) a day.
        periods: days a year.
        ratios: out; NaN where the returns do not vary.
    """
    days = returns.shape[1]
    blocks = starts.shape[1]
    rest = days - (blocks - 1) * length
    own = np.empty(days)
    sums, squares = np.empty(2 * days + 1), np.empty(2 * days + 1)
    # of the block that begins on each day: its sum and its sum of squares, side by side
    whole, cut = np.empty((days, 2)), np.empty((days, 2))
    for portfolio in range(len(offsets) - 1):
        for day in range(days):
            own[day] = -risk_free[portfolio]
        for k in range(offsets[portfolio], offsets[portfolio + 1]):
            for day in range(days):
                own[day] += weights[k] * returns[members[k], day]
        sums[0], squares[0] = 0.0, 0.0
        for day in range(2 * days):
            value = own[day % days]
            sums[day + 1] = sums[day] + value
            squares[day + 1] = squares[day] + value * value
        ratios[portfolio, 0] = ratio_of(float(sums[days]), float(squares[days]), days, periods)
        for first in range(days):
            whole[first, 0] = sums[first + length] - sums[first]
            whole[first, 1] = squares[first + length] - squares[first]
            cut[first, 0] = sums[first + rest] - sums[first]
            cut[first, 1] = squares[first + rest] - squares[first]
        for sample in range(starts.shape[0]):
            total, square = 0.0, 0.0
            for block in range(blocks - 1):
                first = starts[sample, block]
                total += whole[first, 0]
                square += whole[first, 1]
            first = starts[sample, blocks - 1]
            total += cut[first, 0]
            square += cut[first, 1]
            ratios[portfolio, 1 + sample] = ratio_of(total, square, days, periods)


def ratio_of(total: float, square: float, days: int, periods: float) -> float:
    """Mean over sample deviation, a year; NaN where nothing varies."""
    mean = total / days
    variance = (square - total * mean) / (days - 1)
    if not variance > ZERO_DEVIATION * ZERO_DEVIATION:
        return math.nan
    return mean / math.sqrt(variance) * math.sqrt(periods)
