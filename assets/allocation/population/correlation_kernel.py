"""Rolling correlations of pairs, in loops that numba compiles (see assets.performance.compiled).

Belongs here: the moving sums. Must not be here: anything that numba does not compile, the choice of pairs
(correlation).

Moving sums lose digits: what leaves the window is subtracted with rounding, and a quiet window after a jump would be
rounding alone. So sums are of deviations from the mean of a recent window, are made anew every `window` days, and at
once where a variance has become small beside what passed through it.
"""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

CANCELLED = 1e-4  # of the largest sum of squares since the sums were made
ZERO_DEVIATION = 1e-12


def roll(returns: Floats, first: Integers, second: Integers, window: int, correlations: Floats) -> None:
    """Fill `correlations` (pairs, days); `returns` is (N, days). NaN where a window is not full or has no variance."""
    sums = np.empty(5)
    for pair in range(len(first)):
        roll_pair(returns[first[pair]], returns[second[pair]], window, sums, correlations[pair])


def roll_pair(left: Floats, right: Floats, window: int, sums: Floats, correlations: Floats) -> None:
    """Fill `correlations` (days,) of two series."""
    known, age, still_left, still_right = 0, window, 0, 0
    shift_left, shift_right, largest_left, largest_right = 0.0, 0.0, 0.0, 0.0
    sum_left, sum_right, squares_left, squares_right, products = 0.0, 0.0, 0.0, 0.0, 0.0
    for day in range(len(left)):
        correlations[day] = math.nan
        if not (math.isfinite(left[day]) and math.isfinite(right[day])):
            known, age, still_left, still_right = 0, window, 0, 0
            continue
        still_left = still_left + 1 if known > 0 and left[day] == left[day - 1] else 1
        still_right = still_right + 1 if known > 0 and right[day] == right[day - 1] else 1
        known += 1
        if known < window:
            continue
        begin = day - window + 1
        if age < window:
            a, b = left[day] - shift_left, right[day] - shift_right
            c, d = left[begin - 1] - shift_left, right[begin - 1] - shift_right
            sum_left += a - c
            sum_right += b - d
            squares_left += a * a - c * c
            squares_right += b * b - d * d
            products += a * b - c * d
            age += 1
            largest_left = max(largest_left, squares_left)
            largest_right = max(largest_right, squares_right)
        spread_left = squares_left - sum_left * sum_left / window
        spread_right = squares_right - sum_right * sum_right / window
        if age >= window or spread_left < CANCELLED * largest_left or spread_right < CANCELLED * largest_right:
            shift_left, shift_right = mean_of(left, begin, day + 1), mean_of(right, begin, day + 1)
            sum_moments(left, right, begin, day + 1, shift_left, shift_right, sums)
            sum_left, sum_right, squares_left, squares_right, products = sums[0], sums[1], sums[2], sums[3], sums[4]
            largest_left, largest_right, age = squares_left, squares_right, 0
            spread_left = squares_left - sum_left * sum_left / window
            spread_right = squares_right - sum_right * sum_right / window
        least = ZERO_DEVIATION * ZERO_DEVIATION * (window - 1)
        if still_left >= window or still_right >= window or spread_left <= least or spread_right <= least:
            continue
        value = (products - sum_left * sum_right / window) / math.sqrt(spread_left * spread_right)
        correlations[day] = min(max(value, -1.0), 1.0)


def mean_of(values: Floats, begin: int, end: int) -> float:
    """Mean of values[begin:end]."""
    total = 0.0
    for k in range(begin, end):
        total += values[k]
    return total / (end - begin)


def sum_moments(
    left: Floats, right: Floats, begin: int, end: int, shift_left: float, shift_right: float, sums: Floats
) -> None:
    """Fill `sums` with those of a, b, a^2, b^2 and ab, the deviations from the shifts."""
    for k in range(5):
        sums[k] = 0.0
    for k in range(begin, end):
        a, b = left[k] - shift_left, right[k] - shift_right
        sums[0] += a
        sums[1] += b
        sums[2] += a * a
        sums[3] += b * b
        sums[4] += a * b
