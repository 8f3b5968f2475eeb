"""Sums over days of products of returns, in loops that numba compiles (see assets.performance.compiled).

Belongs here: the sums that every covariance is made of, and how far Ledoit and Wolf or OAS shrink that of a part of the
universe. Must not be here: anything that numba does not compile, checks of the caller's arrays (moments).

Every sum goes from the first day to the last, one pair of assets at a time: a pair has the same bits in any universe,
which a product of matrices does not promise.

Sources: Ledoit and Wolf (2004, A well-conditioned estimator for large-dimensional covariance matrices); Chen, Wiesel,
Eldar and Hero (2010, Shrinkage algorithms for MMSE covariance estimation), both in the form of scikit-learn 1.9.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

LEDOIT_WOLF, OAS = 0, 1


def fill_products(deviations: Floats, shares: Floats, products: Floats) -> None:
    """Fill `products` (N, N) with the sums over days of share x deviation x deviation; `deviations` is (days, N).

    The pairs of one asset go through the days side by side: their sums do not wait for each other.
    """
    size = len(products)
    for i in range(size):
        for j in range(i + 1):
            products[i, j] = 0.0
        for day in range(len(deviations)):
            own = deviations[day, i]
            for j in range(i + 1):
                products[i, j] += shares[day] * (own * deviations[day, j])
        for j in range(i):
            products[j, i] = products[i, j]


def fill_shrinkage(
    covariance: Floats,
    fourth: Floats,
    days: int,
    offsets: Integers,
    members: Integers,
    method: int,
    kept: Floats,
    added: Floats,
) -> None:
    """Fill `kept` and `added` (portfolios,): the shrunk covariance is kept x covariance + added x identity.

    Args:
        covariance: (N, N) mean products of deviations.
        fourth: (N, N) mean products of squared deviations; read for LEDOIT_WOLF.
        days: observations.
        offsets: (portfolios + 1,) members of portfolio j are members[offsets[j]:offsets[j + 1]].
        members: positions in the universe.
        method: LEDOIT_WOLF or OAS.
        kept: out.
        added: out.
    """
    for portfolio in range(len(offsets) - 1):
        begin, end = offsets[portfolio], offsets[portfolio + 1]
        size = end - begin
        kept[portfolio], added[portfolio] = 1.0, 0.0
        if size < 2:
            continue
        trace, squares, spread = 0.0, 0.0, 0.0
        for a in range(begin, end):
            trace += covariance[members[a], members[a]]
            for b in range(begin, end):
                value = covariance[members[a], members[b]]
                squares += value * value
                if method == LEDOIT_WOLF:
                    spread += fourth[members[a], members[b]]
        mean = trace / size
        if method == LEDOIT_WOLF:
            error = (spread - squares) / (size * days)
            distance = (squares - 2.0 * mean * trace + size * mean * mean) / size
            share = 0.0
            if error != 0.0 and distance != 0.0:
                share = min(error, distance) / distance
        else:
            alpha = squares / (size * size)
            divisor = (days + 1) * (alpha - mean * mean / size)
            share = 1.0
            if divisor != 0.0:
                share = min((alpha + mean * mean) / divisor, 1.0)
        kept[portfolio], added[portfolio] = 1.0 - share, share * mean


def fill_figures(
    covariance: Floats,
    returns: Floats,
    offsets: Integers,
    members: Integers,
    weights: Floats,
    kept: Floats,
    added: Floats,
    expected: Floats,
    variances: Floats,
) -> None:
    """Fill `expected` return and `variances` (portfolios,) of weights under kept x covariance + added x identity."""
    for portfolio in range(len(offsets) - 1):
        total, variance, squares = 0.0, 0.0, 0.0
        for a in range(offsets[portfolio], offsets[portfolio + 1]):
            total += weights[a] * returns[members[a]]
            squares += weights[a] * weights[a]
            for b in range(offsets[portfolio], offsets[portfolio + 1]):
                variance += weights[a] * weights[b] * covariance[members[a], members[b]]
        expected[portfolio] = total
        variances[portfolio] = kept[portfolio] * variance + added[portfolio] * squares
