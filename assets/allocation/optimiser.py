"""From a policy and estimates to proven weights: the objective, else its fallbacks, else a failure with a reason.

Belongs here: the order of attempts, min_assets, and the figures of the result. Must not be here: SQL, prices, how one
objective is put to a solver.

The chain is optimum, minimum volatility, previous weights, equal weights within the limits. Each is proven by `verify`
in the same way; weights that fail are never handed on. Limits that no weights keep end it at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from assets.allocation.black_litterman import with_views
from assets.allocation.estimates import Estimates
from assets.allocation.model import (
    AllocationError,
    AllocationPolicy,
    Constraints,
    FloatArray,
    InfeasibleError,
    UnsolvedError,
)
from assets.allocation.objectives import CONE_SOLVERS, Candidate, project, settle, solve, solvers_of
from assets.allocation.verify import (
    HOLDING_TOLERANCE,
    KKT_TOLERANCE,
    count_holdings,
    kkt_residual,
    problems,
    require_feasible,
)

# The least weight of a holding that min_assets asks for and the optimum alone would not hold.
SMALLEST_HOLDING = 0.01
# 97.5 % quantile of the normal distribution: the interval of the Sharpe ratio is at 95 %.
NORMAL_QUANTILE = 1.959963984540054


@dataclass(frozen=True)
class Figures:
    """Expected return and volatility a year, Sharpe ratio, and its 95 % interval; None where undefined."""

    expected_return: float
    volatility: float
    sharpe_ratio: float | None
    sharpe_low: float | None
    sharpe_high: float | None


@dataclass(frozen=True)
class Outcome:
    """What came of an optimisation.

    `status` is optimal (the objective, proven), fallback (weights proven, of a lesser objective, `reason` says why) or
    failed (no weights). `constraints` are the limits the weights were proven against: min_assets may have raised some.
    """

    status: str
    reason: str | None
    solver: str | None = None
    weights: FloatArray | None = None
    constraints: Constraints | None = None
    estimates: Estimates | None = None
    kkt_residual: float | None = None
    figures: Figures | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Proven:
    candidate: Candidate
    constraints: Constraints
    residual: float | None


def optimise(
    policy: AllocationPolicy,
    estimates: Estimates,
    constraints: Constraints,
    risk_free_rate: float = 0.0,
    previous: Mapping[str, float] | None = None,
) -> Outcome:
    """Weights for a policy, proven, or the reason why there are none.

    Args:
        policy: objective and its numbers.
        estimates: in the same label order as `constraints`.
        constraints: limits on the weights.
        risk_free_rate: a year, fraction.
        previous: the last published weights by label, used when nothing better can be proven.
    """
    if estimates.labels != constraints.labels:
        raise ValueError("estimates and constraints must have the same labels in the same order")
    try:
        require_feasible(constraints)
    except InfeasibleError as error:
        return Outcome("failed", str(error))
    reasons: list[str] = []
    notes: tuple[str, ...] = ()
    try:
        used = estimates
        if policy.objective == "black_litterman":
            used, notes = with_views(estimates, policy.views)
        proven = _attempt(policy, used, constraints, risk_free_rate)
        return _outcome("optimal", None, proven, used, risk_free_rate, notes)
    except AllocationError as error:
        reasons.append(str(error))
    for name, proven_fallback in _fallbacks(policy, estimates, constraints, risk_free_rate, previous, reasons):
        reason = f"{'; '.join(reasons)}; used {name}"
        return _outcome("fallback", reason, proven_fallback, estimates, risk_free_rate, notes)
    return Outcome("failed", "; ".join(reasons), notes=notes)


def figures(weights: FloatArray, estimates: Estimates, risk_free_rate: float) -> Figures:
    """What weights (n,) promise under the estimates.

    The interval of the Sharpe ratio S is Lo's (2002, "The statistics of Sharpe ratios", independent returns): with t
    observations of which there are p a year, S +- 1.96 x sqrt(p x (1 + S^2 / 2p) / t).
    """
    expected = float(weights @ estimates.expected_returns)
    volatility = float(np.sqrt(max(float(weights @ estimates.covariance @ weights), 0.0)))
    if volatility == 0:
        return Figures(expected, volatility, None, None, None)
    sharpe = (expected - risk_free_rate) / volatility
    periods, count = estimates.frequency, estimates.observations
    if count < 2:
        return Figures(expected, volatility, sharpe, None, None)
    half = NORMAL_QUANTILE * (periods * (1 + sharpe**2 / (2 * periods)) / count) ** 0.5
    return Figures(expected, volatility, sharpe, sharpe - half, sharpe + half)


def _fallbacks(
    policy: AllocationPolicy,
    estimates: Estimates,
    constraints: Constraints,
    risk_free_rate: float,
    previous: Mapping[str, float] | None,
    reasons: list[str],
) -> "list[tuple[str, _Proven]]":
    """The first fallback that can be proven, as a list of at most one; why the others could not joins `reasons`."""
    if policy.objective != "min_volatility":
        try:
            return [
                (
                    "min_volatility",
                    _attempt(replace(policy, objective="min_volatility"), estimates, constraints, risk_free_rate),
                )
            ]
        except AllocationError as error:
            reasons.append(str(error))
    if previous:
        weights = np.array([previous.get(label, 0.0) for label in constraints.labels], dtype=np.float64)
        found = problems(weights, constraints)
        if not found:
            return [("previous weights", _Proven(Candidate(weights, "previous"), constraints, None))]
        reasons.append(f"previous weights: {', '.join(found)}")
    try:
        return [("equal weights within the limits", _equal(constraints))]
    except AllocationError as error:
        reasons.append(f"equal weights: {error}")
    return []


def _attempt(
    policy: AllocationPolicy, estimates: Estimates, constraints: Constraints, risk_free_rate: float
) -> _Proven:
    """The objective solved and proven, with enough holdings.

    min_assets makes it a mixed-integer problem. It is solved in two convex steps instead: where the optimum holds too
    few, the k instruments of largest weight (among equals the least volatile) must each hold at least 1 % (or half of
    1 / k if that is less), and it is solved again. The second optimum is exact under those raised bounds.
    """
    freely = replace(constraints, min_assets=1)
    proven = _proven(policy, estimates, freely, risk_free_rate)
    wanted = constraints.min_assets
    if count_holdings(proven.candidate.weights) >= wanted:
        return replace(proven, constraints=constraints)
    order = sorted(
        range(len(constraints.labels)),
        key=lambda i: (
            -round(float(proven.candidate.weights[i]), 6),
            float(estimates.covariance[i, i]),
            constraints.labels[i],
        ),
    )
    floor = max(min(SMALLEST_HOLDING, 0.5 / wanted), 2 * HOLDING_TOLERANCE)
    lower = constraints.lower.copy()
    chosen = order[:wanted]
    lower[chosen] = np.maximum(lower[chosen], np.minimum(floor, constraints.upper[chosen]))
    raised = constraints.raised(lower)
    require_feasible(raised)
    return _proven(policy, estimates, raised, risk_free_rate)


def _proven(policy: AllocationPolicy, estimates: Estimates, constraints: Constraints, risk_free_rate: float) -> _Proven:
    reasons: list[str] = []
    for solver in solvers_of(policy.objective):
        try:
            candidate = solve(policy, estimates, constraints, risk_free_rate, solver)
        except UnsolvedError as error:
            reasons.append(str(error))
            continue
        found = problems(candidate.weights, constraints)
        residual = None
        if candidate.gradient is not None and not found:
            residual = kkt_residual(
                candidate.gradient, candidate.weights, constraints, candidate.active_gradients, candidate.scale
            )
            if not residual <= KKT_TOLERANCE:
                found.append(f"not an optimum: KKT residual {residual:.1e}, limit {KKT_TOLERANCE:.0e}")
        if not found:
            return _Proven(candidate, constraints, residual)
        reasons.append(f"{policy.objective} by {solver}: {', '.join(found)}")
    raise UnsolvedError("; ".join(dict.fromkeys(reasons)))


def _equal(constraints: Constraints) -> _Proven:
    size = len(constraints.labels)
    equal = settle(np.full(size, 1.0 / size), constraints)
    if problems(equal, constraints):
        equal = project(equal, constraints, CONE_SOLVERS[0])
    found = problems(equal, constraints)
    if found:
        raise UnsolvedError(", ".join(found))
    return _Proven(Candidate(equal, "equal"), constraints, None)


def _outcome(
    status: str,
    reason: str | None,
    proven: _Proven,
    estimates: Estimates,
    risk_free_rate: float,
    notes: tuple[str, ...],
) -> Outcome:
    weights = np.clip(proven.candidate.weights, 0.0, None)
    return Outcome(
        status=status,
        reason=reason,
        solver=proven.candidate.solver,
        weights=weights,
        constraints=proven.constraints,
        estimates=estimates,
        kkt_residual=proven.residual,
        figures=figures(weights, estimates, risk_free_rate),
        notes=notes,
    )
