"""Efficient frontiers of a whole population: least volatility for steps of return, each point proven or marked.

Belongs here: where the points lie and their solution in one call. Must not be here: the solver (quadratic_kernel),
limits from policies, SQL.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assets.allocation.population import quadratic_kernel
from assets.allocation.population.optimum import STATUSES, GroupLimits, rows_of
from assets.allocation.population.shapes import Floats, Integers, floats, require_population, spread
from assets.performance.compiled import kernel

# the last target, a hair below the highest return, which rounding could put out of reach
NEARLY = 1.0 - 1e-7


@dataclass(frozen=True)
class Frontiers:
    """Points of each portfolio by rising return; the first is its least volatility.

    Attributes:
        counts: (portfolios,) points asked for: 0 where the least volatility has no proof, 1 where all returns are one.
        expected_return: (portfolios, points) a year; NaN where a point was not asked for or has no proof.
        volatility: likewise.
        weights: (members, points), likewise.
        kkt_residual: (portfolios,) of the first point, as `Optima.kkt_residual`.
        status: (portfolios,) of the first point, one of STATUSES.
    """

    counts: NDArray[np.int64]
    expected_return: Floats
    volatility: Floats
    weights: Floats
    kkt_residual: Floats
    status: NDArray[np.str_]


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

    Each is solved from the one before it, so that a frontier takes about as long as two optima; every point is proven
    by its own conditions.

    Args:
        covariance: as in solve_population, like what is not named here.
        expected_returns: (N,).
        offsets: (portfolios + 1,).
        members: positions.
        points: how many, at least 2.
        highest: (portfolios,) the highest return within the limits; NaN: unknown, the frontier is one point.
        lower: bounds.
        upper: bounds.
        groups: further limits.
        kept: of the covariance.
        added: of the covariance.
    """
    covariance, offsets, members = require_population(covariance, offsets, members)
    expected_returns, count = floats(expected_returns), len(offsets) - 1
    limits = rows_of(groups, expected_returns, len(covariance))
    weights = np.empty((len(members), points))
    expected, volatility = np.empty((count, points)), np.empty((count, points))
    residuals = np.empty(count)
    statuses, counts = np.empty(count, dtype=np.int64), np.empty(count, dtype=np.int64)
    sizes = np.diff(offsets)
    # a point goes through the matrices some five times
    steps = int((sizes**3 + 5 * points * sizes**2).sum())
    kernel(quadratic_kernel.fill_frontiers, steps)(
        covariance,
        expected_returns,
        offsets,
        members,
        spread(lower, len(members)),
        spread(upper, len(members)),
        limits.rows,
        limits.least,
        limits.most,
        spread(kept, count),
        spread(added, count),
        floats(highest),
        np.linspace(0.0, NEARLY, points),
        weights,
        expected,
        volatility,
        residuals,
        statuses,
        counts,
    )
    return Frontiers(counts, expected, volatility, weights, residuals, STATUSES[statuses])
