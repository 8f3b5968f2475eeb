"""Hierarchical risk parity of many small portfolios, in loops that numba compiles (see assets.performance.compiled).

Belongs here: single linkage, the order of leaves, recursive bisection. Must not be here: anything that numba does not
compile, checks of the caller's arrays (hierarchy).

Source: Lopez de Prado (2016), Building Diversified Portfolios that Outperform Out of Sample, in the variant of
PyPortfolioOpt 1.6.0's HRPOpt given a covariance: correlations rounded to 6 decimals, distance sqrt((1 - rho) / 2)
between two assets itself (not between their columns of distances, as in the paper), single linkage, bisection by count.
Rounding makes ties, so the order of merges is scipy's to the letter: Prim's tree from leaf 0, a stable sort by
distance, and of two clusters the lower number to the left.
"""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

OPTIMAL, EMPTY, NOT_FINITE, ZERO_VARIANCE = 0, 1, 2, 3
DECIMALS = 1e6


def allocate_population(
    covariance: Floats,
    offsets: Integers,
    members: Integers,
    kept: Floats,
    added: Floats,
    weights: Floats,
    statuses: Integers,
) -> None:
    """Fill `weights` (as members) and `statuses` (portfolios,); NaN where not OPTIMAL.

    A portfolio's covariance is kept x that of its members + added x identity.
    """
    longest = 0
    for portfolio in range(len(offsets) - 1):
        longest = max(longest, offsets[portfolio + 1] - offsets[portfolio])
    sub = np.empty((longest, longest))
    own = np.arange(longest)
    distance = np.empty((longest, longest))
    order = np.empty(longest, dtype=np.int64)
    numbers = np.empty((7, 2 * longest), dtype=np.int64)
    vectors = np.empty((2, longest))
    for portfolio in range(len(offsets) - 1):
        begin, end = offsets[portfolio], offsets[portfolio + 1]
        size = end - begin
        for i in range(size):
            for j in range(size):
                sub[i, j] = kept[portfolio] * covariance[members[begin + i], members[begin + j]]
            sub[i, i] += added[portfolio]
        statuses[portfolio] = state_of(sub, own[:size])
        if statuses[portfolio] != OPTIMAL:
            for k in range(begin, end):
                weights[k] = math.nan
            continue
        fill_distances(sub, own[:size], distance)
        order_leaves(distance, size, vectors, numbers, order)
        bisect(sub, own[:size], order, size, numbers, weights[begin:end])


def state_of(covariance: Floats, own: Integers) -> int:
    """Whether all correlations exist."""
    if len(own) == 0:
        return EMPTY
    for i in own:
        for j in own:
            if not math.isfinite(covariance[i, j]):
                return NOT_FINITE
    for i in own:
        if not covariance[i, i] > 0.0:
            return ZERO_VARIANCE
    return OPTIMAL


def fill_distances(covariance: Floats, own: Integers, distance: Floats) -> None:
    """sqrt((1 - rho) / 2) of each pair, rho rounded to 6 decimals, within [0, 1]."""
    for i in range(len(own)):
        for j in range(i):
            a, b = own[i], own[j]
            rho = 1.0 / math.sqrt(covariance[a, a]) * covariance[a, b] * (1.0 / math.sqrt(covariance[b, b]))
            rho = float(np.rint(rho * DECIMALS)) / DECIMALS
            value = math.sqrt(min(max((1.0 - rho) / 2.0, 0.0), 1.0))
            distance[i, j] = value
            distance[j, i] = value


def order_leaves(distance: Floats, size: int, vectors: Floats, numbers: Integers, order: Integers) -> None:
    """Fill `order` (size,) with the leaves of the single-linkage tree from left to right."""
    nearest, heights = vectors[0], vectors[1]
    is_merged, first, second, parent, head, tail, following = (
        numbers[0], numbers[1], numbers[2], numbers[3], numbers[4], numbers[5], numbers[6],
    )  # fmt: skip
    for i in range(size):
        is_merged[i] = 0
        nearest[i] = math.inf
    leaf = 0
    for k in range(size - 1):
        is_merged[leaf] = 1
        least, found = math.inf, 0
        for i in range(size):
            if is_merged[i] == 1:
                continue
            nearest[i] = min(nearest[i], distance[leaf, i])
            if nearest[i] < least:
                least, found = nearest[i], i
        place = k  # insertion keeps equal heights in the order in which they were found
        while place > 0 and heights[place - 1] > least:
            heights[place], first[place], second[place] = heights[place - 1], first[place - 1], second[place - 1]
            place -= 1
        heights[place], first[place], second[place] = least, leaf, found
        leaf = found
    for i in range(2 * size - 1):
        parent[i] = i
        head[i] = i
        tail[i] = i
        following[i] = -1
    for k in range(size - 1):
        left, right = root_of(parent, first[k]), root_of(parent, second[k])
        if left > right:
            left, right = right, left
        cluster = size + k
        parent[left], parent[right] = cluster, cluster
        following[tail[left]] = head[right]
        head[cluster], tail[cluster] = head[left], tail[right]
    leaf = head[2 * size - 2]
    for k in range(size):
        order[k] = leaf
        leaf = following[leaf]


def root_of(parent: Integers, number: int) -> int:
    """The cluster that holds `number` now; halves the path on the way."""
    while parent[number] != number:
        parent[number] = parent[parent[number]]
        number = parent[number]
    return number


def bisect(covariance: Floats, own: Integers, order: Integers, size: int, numbers: Integers, weights: Floats) -> None:
    """Fill `weights` (size,): halves of the order share by the inverse of their variances, down to single assets."""
    starts, ends = numbers[0], numbers[1]
    for i in range(size):
        weights[i] = 1.0
    waiting = 1
    starts[0], ends[0] = 0, size
    while waiting > 0:
        waiting -= 1
        begin, end = starts[waiting], ends[waiting]
        if end - begin < 2:
            continue
        middle = begin + (end - begin) // 2
        left = cluster_variance(covariance, own, order, begin, middle)
        right = cluster_variance(covariance, own, order, middle, end)
        share = 1.0 - left / (left + right)
        for k in range(begin, end):
            weights[order[k]] *= share if k < middle else 1.0 - share
        starts[waiting], ends[waiting] = begin, middle
        starts[waiting + 1], ends[waiting + 1] = middle, end
        waiting += 2


def cluster_variance(covariance: Floats, own: Integers, order: Integers, begin: int, end: int) -> float:
    """Variance of the cluster's assets, weighted by the inverse of their own variances."""
    total, variance = 0.0, 0.0
    for k in range(begin, end):
        a = own[order[k]]
        weight = 1.0 / covariance[a, a]
        total += weight
        variance += weight  # weight^2 x its variance
        for j in range(begin, k):
            b = own[order[j]]
            variance += 2.0 * weight * covariance[a, b] / covariance[b, b]
    return variance / (total * total)
