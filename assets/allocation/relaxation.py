"""The convex problem of an objective as the search for holdings sees it: limits in, weights and value out.

Belongs here: the compiled solver for the objectives that it knows, each objective's own solver for the others, and what
is minimised. Must not be here: the search (selection), the proof of the final weights (optimiser).
"""

import numpy as np

from assets.allocation.costs import TradingCosts
from assets.allocation.estimates import Estimates
from assets.allocation.model import AllocationPolicy, Constraints, FloatArray, InfeasibleError
from assets.allocation.objectives import solve, solvers_of, with_own_volatility
from assets.allocation.selection import EmptyError, Relaxation, Relaxed
from assets.allocation.verify import require_feasible

_COMPILED = {
    "min_volatility": "min_volatility",
    "max_sharpe": "max_sharpe",
    "black_litterman": "max_sharpe",
    "max_diversification": "max_sharpe",
    "efficient_risk": "efficient_risk",
    "efficient_return": "efficient_return",
}
_MAXIMISED = ("max_sharpe", "efficient_risk")
# of the compiled solver: there are no weights, or none that the objective has a value for
_EMPTY = ("infeasible", "no_excess_return", "target_out_of_reach")


def make_relaxation(
    policy: AllocationPolicy, estimates: Estimates, risk_free_rate: float, costs: TradingCosts | None
) -> Relaxation:
    """The policy's objective as a convex problem; `estimates` hold the views already."""
    name = _COMPILED.get(policy.objective)
    if name is None or costs is not None:
        return Relaxation(lambda limits: _by_own_solver(policy, estimates, risk_free_rate, costs, limits), False)
    own, rate = estimates, risk_free_rate
    if policy.objective == "max_diversification":
        estimates, rate = with_own_volatility(estimates), 0.0
    target = np.nan if policy.target is None else float(policy.target)

    def relax(limits: Constraints) -> Relaxed:
        # what the compiled solver cannot prove is left to the slower one
        relaxed = _compiled(name, estimates, rate, target, limits)
        return relaxed or _by_own_solver(policy, own, risk_free_rate, None, limits)

    return Relaxation(relax, True)


def _compiled(name: str, estimates: Estimates, rate: float, target: float, limits: Constraints) -> Relaxed | None:
    from assets.allocation.population.optimum import OPTIMAL, GroupLimits, solve_population

    size = len(limits.labels)
    groups = None
    if limits.groups:
        groups = GroupLimits(
            np.array([group.members for group in limits.groups], dtype=np.float64),
            np.array([group.minimum for group in limits.groups]),
            np.array([group.maximum for group in limits.groups]),
        )
    found = solve_population(
        estimates.covariance,
        estimates.expected_returns,
        np.array([0, size]),
        np.arange(size),
        name,
        lower=limits.lower,
        upper=limits.upper,
        groups=groups,
        risk_free_rate=rate,
        targets=target,
    )
    status = str(found.status[0])
    if status in _EMPTY:
        raise EmptyError(status)
    if status != OPTIMAL:
        return None
    value = float(found.value[0])
    return Relaxed(found.weights, -value if name in _MAXIMISED else value)


def _by_own_solver(
    policy: AllocationPolicy,
    estimates: Estimates,
    risk_free_rate: float,
    costs: TradingCosts | None,
    limits: Constraints,
) -> Relaxed:
    try:
        require_feasible(limits.convex())
    except InfeasibleError as error:
        raise EmptyError(str(error)) from error
    solver = solvers_of(policy.objective)[0]
    weights = solve(policy, estimates, limits, risk_free_rate, solver, costs).weights
    return Relaxed(weights, minimised(policy, estimates, risk_free_rate, costs, weights))


def minimised(
    policy: AllocationPolicy,
    estimates: Estimates,
    risk_free_rate: float,
    costs: TradingCosts | None,
    weights: FloatArray,
) -> float:
    """What the objective makes small: a risk, or a return or ratio with its sign turned, after costs."""
    if policy.objective in ("cvar", "cdar"):
        losses = -(estimates.returns @ weights)
        if policy.objective == "cdar":
            wealth = np.concatenate([[0.0], -np.cumsum(losses)])
            losses = (np.maximum.accumulate(wealth) - wealth)[1:]
        return tail_mean(losses, policy.confidence)
    volatility = float(np.sqrt(max(float(weights @ estimates.covariance @ weights), 0.0)))
    expected = float(weights @ estimates.expected_returns) - (0.0 if costs is None else costs.of(weights))
    if policy.objective == "efficient_risk":
        return -expected
    if policy.objective in ("efficient_return", "min_volatility"):
        return volatility
    if policy.objective == "max_diversification":
        expected, risk_free_rate = float(weights @ np.sqrt(np.diag(estimates.covariance))), 0.0
    return -(expected - risk_free_rate) / volatility if volatility > 0 else np.inf


def tail_mean(losses: FloatArray, confidence: float) -> float:
    """Mean of the worst share 1 - confidence of losses (t,), the last one counted in part (Rockafellar, Uryasev)."""
    worst = np.sort(losses)[::-1]
    share = (1.0 - confidence) * len(worst)
    whole = int(share)
    rest = share - whole
    total = float(worst[:whole].sum()) + (rest * float(worst[whole]) if rest > 0 else 0.0)
    return total / share
