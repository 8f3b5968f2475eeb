"""The efficient frontier: least volatility for each return, under the same limits as the target weights.

Belongs here: its points. Must not be here: SQL, pictures, the choice of one of the points.
"""

import warnings
from dataclasses import dataclass, replace

import numpy as np

from assets.allocation.estimates import Estimates
from assets.allocation.model import AllocationError, Constraints, FloatArray, UnsolvedError
from assets.allocation.objectives import CONE_SOLVERS, frontier_model, settle
from assets.allocation.optimiser import figures
from assets.allocation.verify import problems, require_feasible

POINTS = 20
# Below this span of returns the frontier is one point.
SMALLEST_SPAN = 1e-9


@dataclass(frozen=True)
class FrontierPoint:
    """One point: `point` from 1 by rising return, return and volatility a year, `sharpe_ratio` None where undefined."""

    point: int
    expected_return: float
    volatility: float
    sharpe_ratio: float | None
    weights: FloatArray


def efficient_frontier(
    estimates: Estimates, constraints: Constraints, risk_free_rate: float = 0.0, points: int = POINTS
) -> tuple[FrontierPoint, ...]:
    """Points of equal steps in return, from the least volatile portfolio to the one of highest return.

    min_assets is not asked of the points (it is no convex limit). A point whose weights do not keep the limits is left
    out, so fewer than `points` may come back, and none where nothing could be solved.

    Args:
        estimates: in the label order of `constraints`.
        constraints: limits on the weights.
        risk_free_rate: a year, fraction.
        points: how many.

    Raises:
        InfeasibleError: no weights keep the limits.
    """
    limits = replace(constraints, min_assets=1)
    require_feasible(limits)
    for solver in CONE_SOLVERS:
        try:
            return _frontier(estimates, limits, risk_free_rate, points, solver)
        except AllocationError:
            continue
    return ()


def _frontier(
    estimates: Estimates, constraints: Constraints, risk_free_rate: float, points: int, solver: str
) -> tuple[FrontierPoint, ...]:
    least = _least_volatile(estimates, constraints, solver)
    highest = highest_return(estimates, constraints)
    lowest = float(least @ estimates.expected_returns)
    span = highest - lowest
    found = [least]
    if span > SMALLEST_SPAN:
        model = frontier_model(estimates, constraints, solver)
        # the last target a hair below the highest return, which rounding could put out of reach
        targets = lowest + span * np.linspace(0.0, 1.0 - 1e-7, points)[1:]
        for target in targets:
            weights = _at_return(model, float(target))
            if weights is not None:
                found.append(settle(weights, constraints))
    proven = [weights for weights in found if not problems(weights, constraints)]
    if not proven:
        raise UnsolvedError(f"no point of the frontier by {solver} keeps the limits")
    return tuple(_point(number, weights, estimates, risk_free_rate) for number, weights in enumerate(proven, start=1))


def _least_volatile(estimates: Estimates, constraints: Constraints, solver: str) -> FloatArray:
    model = frontier_model(estimates, constraints, solver)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.min_volatility()
    except Exception as error:
        raise UnsolvedError(f"min_volatility by {solver}: {error}") from error
    return settle(np.asarray(model.weights, dtype=np.float64), constraints)


def _at_return(model: object, target: float) -> FloatArray | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            model.efficient_return(target)  # type: ignore[attr-defined]
    # a point that a solver misses is left out, whatever it raised
    except Exception:
        return None
    return np.asarray(model.weights, dtype=np.float64)  # type: ignore[attr-defined]


def highest_return(estimates: Estimates, constraints: Constraints) -> float:
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
        -estimates.expected_returns,
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


def _point(number: int, weights: FloatArray, estimates: Estimates, risk_free_rate: float) -> FrontierPoint:
    at = figures(weights, estimates, risk_free_rate)
    return FrontierPoint(number, at.expected_return, at.volatility, at.sharpe_ratio, weights)
