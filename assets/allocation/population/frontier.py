"""Efficient frontiers of a whole population: least volatility for steps of return, each point proven or marked.

Belongs here: the targets of the points and their solution in one call. Must not be here: the solver (quadratic_kernel),
limits from policies, SQL.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assets.allocation.population.moments import figures_of
from assets.allocation.population.optimum import OPTIMAL, GroupLimits, solve_population
from assets.allocation.population.shapes import Floats, Integers, spread

# below this span of returns a frontier is one point
SMALLEST_SPAN = 1e-9
# the last target, a hair below the highest return, which rounding could put out of reach
NEARLY = 1.0 - 1e-7


@dataclass(frozen=True)
class Frontiers:
    """Points of each portfolio by rising return.

    Attributes:
        counts: (portfolios,) points asked for: 0 where the least volatility has no proof, 1 where all returns are one.
        expected_return: (portfolios, points) a year; NaN where a point was not asked for or has no proof.
        volatility: likewise.
        weights: (members, points).
    """

    counts: NDArray[np.int64]
    expected_return: Floats
    volatility: Floats
    weights: Floats


def trace_frontiers(
    covariance: Floats,
    expected_returns: Floats,
    offsets: Integers,
    members: Integers,
    points: int,
    *,
    highest: Floats,
    lower: ArrayLike = 0.0,
    upper: ArrayLike = 1.0,
    groups: GroupLimits | None = None,
    kept: ArrayLike = 1.0,
    added: ArrayLike = 0.0,
) -> Frontiers:
    """Points of equal steps in return, from the least volatile portfolio to the one of highest return.

    Args:
        covariance: as in solve_population, like what is not named here.
        expected_returns: (N,).
        offsets: (portfolios + 1,).
        members: positions.
        points: how many, at least 2.
        highest: (portfolios,) the highest return within the limits.
        lower: bounds.
        upper: bounds.
        groups: further limits.
        kept: of the covariance.
        added: of the covariance.
    """
    sizes, count = np.diff(offsets), len(offsets) - 1
    low, high = spread(lower, len(members)), spread(upper, len(members))
    share, more = spread(kept, count), spread(added, count)
    least = solve_population(
        covariance, expected_returns, offsets, members, "min_volatility", lower=low, upper=high, groups=groups,
        kept=share, added=more,
    )  # fmt: skip
    lowest, _ = figures_of(covariance, expected_returns, offsets, members, least.weights, share, more)
    is_found = least.status == OPTIMAL
    span = np.where(is_found, highest - lowest, np.nan)
    counts = np.where(is_found, np.where(span > SMALLEST_SPAN, points, 1), 0)
    targets = lowest[:, None] + span[:, None] * np.linspace(0.0, NEARLY, points)[None, 1:]
    targets[counts < points] = np.nan
    again = points - 1
    # every portfolio `again` times, one after the other
    repeated = np.concatenate([[0], np.repeat(sizes, again).cumsum()])
    places = np.repeat(offsets[:-1], again * sizes) + _counting(np.repeat(sizes, again))
    steps = solve_population(
        covariance, expected_returns, repeated, members[places], "efficient_return", lower=low[places],
        upper=high[places], groups=groups, targets=targets.ravel(), kept=np.repeat(share, again),
        added=np.repeat(more, again),
    )  # fmt: skip
    expected, volatility = figures_of(
        covariance, expected_returns, repeated, members[places], steps.weights, np.repeat(share, again),
        np.repeat(more, again),
    )  # fmt: skip
    first = figures_of(covariance, expected_returns, offsets, members, least.weights, share, more)
    weights = np.empty((len(members), points))
    weights[:, 0] = least.weights
    for portfolio in range(count):
        begin, end = offsets[portfolio], offsets[portfolio + 1]
        own = steps.weights[again * begin : again * end]
        weights[begin:end, 1:] = own.reshape(again, end - begin).T
    return Frontiers(
        counts,
        np.column_stack([first[0], expected.reshape(count, again)]),
        np.column_stack([first[1], volatility.reshape(count, again)]),
        weights,
    )


def _counting(sizes: Integers) -> Integers:
    """0, 1, ... size - 1 for each size, one after the other."""
    return np.asarray(np.arange(sizes.sum()) - np.repeat(sizes.cumsum() - sizes, sizes), dtype=np.int64)
