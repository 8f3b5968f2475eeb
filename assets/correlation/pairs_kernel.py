"""Moments of two series of levels over the days on which both were seen, in loops that numba compiles.

Belongs here: the loops. Must not be here: anything that numba does not compile, the choice of pairs (pairs).
"""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# columns of `sums`
SQUARES_FIRST, SQUARES_SECOND, PRODUCTS = range(3)
SUM_COLUMNS = 3


def sum_pairs(
    levels: Floats,
    first: Integers,
    second: Integers,
    begin: int,
    longest_gap: int,
    counts: Integers,
    sums: Floats,
) -> None:
    """Fill `counts` (pairs,) and `sums` (pairs, SUM_COLUMNS) with the deviations of both returns from their means.

    A return reaches from one day on which both have a level to the next such day; one over more than `longest_gap`
    days is none. The mean is taken before the squares: moving sums would lose digits.
    """
    days = levels.shape[1]
    left, right = np.empty(days), np.empty(days)
    for pair in range(len(first)):
        one, other = levels[first[pair]], levels[second[pair]]
        count, previous = 0, -1
        left_sum, right_sum = 0.0, 0.0
        for day in range(begin, days):
            if math.isnan(one[day]) or math.isnan(other[day]):
                continue
            if previous >= 0 and day - previous <= longest_gap:
                left[count] = one[day] / one[previous] - 1.0
                right[count] = other[day] / other[previous] - 1.0
                left_sum += left[count]
                right_sum += right[count]
                count += 1
            previous = day
        counts[pair] = count
        if count == 0:
            continue
        left_mean, right_mean = left_sum / count, right_sum / count
        for k in range(count):
            a, b = left[k] - left_mean, right[k] - right_mean
            sums[pair, SQUARES_FIRST] += a * a
            sums[pair, SQUARES_SECOND] += b * b
            sums[pair, PRODUCTS] += a * b
