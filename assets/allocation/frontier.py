"""The efficient frontier: least volatility for each return, under the same limits as the target weights.

Belongs here: its points for one portfolio, and the highest return under group limits. Must not be here: SQL, pictures,
the choice of one of the points, the frontiers of many portfolios at once (population.frontier).
"""

import math
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from assets.allocation.estimates import Estimates
from assets.allocation.model import Constraints, FloatArray, UnsolvedError
from assets.allocation.population.frontier import trace_frontiers
from assets.allocation.population.optimum import GroupLimits
from assets.allocation.verify import require_feasible

POINTS = 20


class Frontier(NamedTuple):
    """The points that have a proof, by rising return, and the numbers of those that have none.

    `numbers` (k,) from 1; `expected_return` and `volatility` (k,) a year; `weights` (n, k).
    """

    numbers: NDArray[np.int64]
    expected_return: FloatArray
    volatility: FloatArray
    weights: FloatArray
    missed: tuple[int, ...] = ()

    @property
    def note(self) -> str | None:
        """What to say of missed points; None: there are none."""
        if not self.missed:
            return None
        return f"frontier: no proven optimum for points {', '.join(map(str, self.missed))}"


def efficient_frontier(estimates: Estimates, constraints: Constraints, points: int = POINTS) -> Frontier:
    """Points of equal steps in return, from the least volatile portfolio to the one of highest return.

    min_assets is not asked of the points (it is no convex limit).

    Args:
        estimates: in the label order of `constraints`.
        constraints: limits on the weights.
        points: how many.

    Raises:
        InfeasibleError: no weights keep the limits.
    """
    require_feasible(replace(constraints, min_assets=1))
    size = len(estimates.labels)
    found = trace_frontiers(
        estimates.covariance,
        estimates.expected_returns,
        np.array([0, size]),
        np.arange(size),
        points,
        highest=np.array([highest_return(estimates.expected_returns, constraints)]),
        lower=constraints.lower,
        upper=constraints.upper,
        groups=group_limits(constraints),
    )
    return frontier_of(found.expected_return[0], found.volatility[0], found.weights, int(found.counts[0]))


def frontier_of(expected: FloatArray, volatility: FloatArray, weights: FloatArray, count: int) -> Frontier:
    """The frontier of one portfolio.

    Args:
        expected: (points,) returns; NaN where a point has no proof.
        volatility: (points,).
        weights: (n, points).
        count: points that were asked for; 0: not even the first has a proof.
    """
    numbers = _numbers(max(count, 1))
    # a sum is finite only where all of its parts are
    if count > 0 and math.isfinite(np.add.reduce(expected[:count])):
        return Frontier(numbers, expected[:count], volatility[:count], weights[:, :count])
    is_proven = np.isfinite(expected[: len(numbers)]) & (count > 0)
    kept = np.flatnonzero(is_proven)
    return Frontier(
        numbers[kept], expected[kept], volatility[kept], weights[:, kept], tuple(numbers[~is_proven].tolist())
    )


@lru_cache
def _numbers(count: int) -> NDArray[np.int64]:
    return np.arange(1, count + 1)


def sharpe_ratios(expected: FloatArray, volatility: FloatArray, risk_free_rates: FloatArray | float) -> FloatArray:
    """(k,) of points, NaN where the volatility is 0."""
    found = np.full(len(volatility), np.nan)
    np.divide(expected - risk_free_rates, volatility, out=found, where=volatility > 0)
    return found


def group_limits(constraints: Constraints) -> GroupLimits | None:
    """The group limits as the compiled solver reads them; None: there are none."""
    if not constraints.groups:
        return None
    return GroupLimits(
        np.array([group.members for group in constraints.groups], dtype=np.float64),
        np.array([group.minimum for group in constraints.groups]),
        np.array([group.maximum for group in constraints.groups]),
    )


def highest_return(expected_returns: FloatArray, constraints: Constraints) -> float:
    """The highest expected return within the limits, by linear programming.

    Raises:
        UnsolvedError: no weights keep the limits.
    """
    from scipy.optimize import linprog

    rows: list[FloatArray] = []
    bounds: list[float] = []
    for group in constraints.groups:
        member = group.members.astype(np.float64)
        rows += [member, -member]
        bounds += [group.maximum, -group.minimum]
    result = linprog(
        -expected_returns,
        A_ub=np.array(rows) if rows else None,
        b_ub=np.array(bounds) if rows else None,
        A_eq=np.ones((1, len(constraints.labels))),
        b_eq=[1.0],
        bounds=np.column_stack([constraints.lower, constraints.upper]),
        method="highs",
    )
    if result.status != 0:
        raise UnsolvedError(f"highest return: {result.message}")
    return float(-result.fun)
