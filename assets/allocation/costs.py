"""Trading costs in the objective: what a change of weights costs, and the optimum of the return after it.

Belongs here: the cost of a change, the convex problems with it, and the gradient that proves them. Must not be here:
the cost shown beside a suggested trade (rebalancing), where volumes come from.

A change of weight x costs  a |x| + b s |x|^1.5 / sqrt(V): half the spread and fees by a, market impact by the square
root law (Grinold and Kahn 2000, Active Portfolio Management), with s the volatility of a day and V the value traded a
day, in portfolios. It is taken off the expected return of a year, as if weights were changed once a year. Where V is
not known the impact is left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from assets.allocation.estimates import Estimates
from assets.allocation.model import AllocationPolicy, Constraints, FloatArray, UnsolvedError

# A change below this is none: there the cost has a kink.
_UNCHANGED = 1e-5


@dataclass(frozen=True)
class TradingCosts:
    """`current` (n,) weights held now, `spread` a, `impact` (n,) b s / sqrt(V), 0 where V is unknown."""

    current: FloatArray
    spread: float
    impact: FloatArray

    def of(self, weights: FloatArray) -> float:
        """Cost of going from `current` to `weights` (n,), as a share of the portfolio."""
        change = np.abs(weights - self.current)
        return float(self.spread * change.sum() + self.impact @ change**1.5)

    def gradient(self, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Slope (n,) of the cost, and half the jump (n,) of the slope where a weight does not change, else 0."""
        change = weights - self.current
        is_kink = np.abs(change) <= _UNCHANGED
        slope = np.sign(change) * (self.spread + 1.5 * self.impact * np.sqrt(np.abs(change)))
        return np.where(is_kink, 0.0, slope), np.where(is_kink, self.spread, 0.0)


def make_costs(
    policy: AllocationPolicy,
    estimates: Estimates,
    current: Mapping[str, float] | None,
    liquidity: Mapping[str, float] | None,
) -> tuple[TradingCosts | None, tuple[str, ...]]:
    """The policy's costs, None where it has none, and a note on instruments whose impact is unknown.

    Args:
        policy: cost_spread, cost_impact.
        estimates: for labels and volatilities.
        current: weights held now; one that is not among them is 0.
        liquidity: value traded a day over the portfolio's value, by label; a missing one is unknown.
    """
    if policy.cost_spread is None:
        return None, ()
    labels = estimates.labels
    held = np.array([(current or {}).get(label, 0.0) for label in labels], dtype=np.float64)
    traded = np.array([(liquidity or {}).get(label, 0.0) for label in labels], dtype=np.float64)
    daily = np.sqrt(np.diag(estimates.covariance) / estimates.frequency)
    impact = np.zeros(len(labels))
    if policy.cost_impact:
        known = traded > 0
        impact[known] = policy.cost_impact * daily[known] / np.sqrt(traded[known])
    unknown = [label for i, label in enumerate(labels) if policy.cost_impact and not traded[i] > 0]
    notes = (f"impact left out, value traded a day unknown: {', '.join(unknown)}",) if unknown else ()
    return TradingCosts(held, policy.cost_spread, impact), notes


def best_after_costs(
    objective: str,
    estimates: Estimates,
    constraints: Constraints,
    costs: TradingCosts,
    parameter: float,
    solver: str,
    options: dict[str, Any],
) -> FloatArray:
    """Weights (n,) of the best return after costs.

    `max_sharpe` is solved in y = k w with the excess return after costs k ((m - r)'w - cost) kept at 1 and the risk of
    y least (Cornuejols and Tutuncu 2006, 8.2); the impact becomes a power cone, |d| <= t^(2/3) k^(1/3).

    Args:
        objective: max_sharpe, efficient_risk or efficient_return.
        estimates: in the label order of `constraints`.
        constraints: bounds and groups.
        costs: of the change of weights.
        parameter: risk-free rate, target volatility or target return, a year.
        solver: of cvxpy.
        options: of that solver.

    Raises:
        UnsolvedError: the solver found none.
    """
    import cvxpy

    size = len(constraints.labels)
    y, moved, paid = cvxpy.Variable(size), cvxpy.Variable(size), cvxpy.Variable(size, nonneg=True)
    k: Any = cvxpy.Variable(nonneg=True) if objective == "max_sharpe" else 1.0
    limits = [cvxpy.sum(y) == k, y >= constraints.lower * k, y <= constraints.upper * k]
    for group in constraints.groups:
        share = group.members.astype(np.float64) @ y
        limits += [share <= group.maximum * k, share >= group.minimum * k]
    limits += [moved >= y - costs.current * k, moved >= costs.current * k - y]
    has_impact = np.flatnonzero(costs.impact > 0)
    if len(has_impact):
        ones = np.ones(len(has_impact))
        limits.append(cvxpy.PowCone3D(paid[has_impact], ones * k, moved[has_impact], 2.0 / 3.0))
    net = estimates.expected_returns @ y - costs.spread * cvxpy.sum(moved) - costs.impact @ paid
    eigenvalues, vectors = np.linalg.eigh(estimates.covariance)
    risk = cvxpy.norm((vectors * np.sqrt(np.clip(eigenvalues, 0.0, None))).T @ y)
    if objective == "max_sharpe":
        goal = cvxpy.Minimize(risk)
        limits.append(net - parameter * k >= 1.0)
    elif objective == "efficient_risk":
        goal = cvxpy.Maximize(net)
        limits.append(risk <= parameter)
    else:
        goal = cvxpy.Minimize(risk)
        limits.append(net >= parameter)
    problem = cvxpy.Problem(goal, limits)
    problem.solve(solver=solver, **options)
    if y.value is None:
        raise UnsolvedError(f"{objective} after trading costs by {solver}: {problem.status}")
    found = np.asarray(y.value, dtype=np.float64)
    weights: FloatArray = found / found.sum()
    return weights
