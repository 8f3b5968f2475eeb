"""From a policy and estimates to proven weights: the objective, else its fallbacks, else a failure with a reason.

Belongs here: the order of attempts and the figures of the result. Must not be here: SQL, prices, how one objective is
put to a solver, the search for holdings (selection).

The chain is optimum, minimum volatility, previous weights, equal weights within the limits. Each is proven by `verify`
in the same way; weights that fail are never handed on. Limits that no weights keep end it at once.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import numpy as np

from assets.allocation.black_litterman import with_views
from assets.allocation.choice import NO_CHOICE, Choice, choose
from assets.allocation.costs import TradingCosts, make_costs
from assets.allocation.cuts import solve_with_cuts
from assets.allocation.estimates import Estimates
from assets.allocation.model import (
    AllocationError,
    AllocationPolicy,
    Constraints,
    FloatArray,
    InfeasibleError,
    UnsolvedError,
    with_turnover,
)
from assets.allocation.objectives import CONE_SOLVERS, HOLDS_ALL, Candidate, solve, solvers_of
from assets.allocation.projection import project, settle
from assets.allocation.verify import KKT_TOLERANCE, kkt_residual, problems, require_feasible

# 97.5 % quantile of the normal distribution: the interval of the Sharpe ratio is at 95 %.
NORMAL_QUANTILE = 1.959963984540054


class Figures(NamedTuple):
    """Expected return and volatility a year, Sharpe ratio, and its 95 % interval; None where undefined."""

    expected_return: float
    volatility: float
    sharpe_ratio: float | None
    sharpe_low: float | None
    sharpe_high: float | None


class Outcome(NamedTuple):
    """What came of an optimisation.

    `status` is optimal (the objective, proven), fallback (weights proven, of a lesser objective, `reason` says why) or
    failed (no weights). `constraints` are the limits the weights were proven against: the search for holdings may have
    changed some bounds. `selection` says how the holdings were chosen (None: their number did not limit the weights),
    `selection_gap` how far that may be from the best choice, as a share of the objective.
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
    selection: str | None = None
    selection_gap: float | None = None


@dataclass(frozen=True)
class _Proven:
    candidate: Candidate
    constraints: Constraints
    residual: float | None
    choice: Choice = NO_CHOICE


@dataclass(frozen=True)
class _Problem:
    """A policy with all that its solution depends on; `estimates` hold the views."""

    policy: AllocationPolicy
    estimates: Estimates
    constraints: Constraints
    risk_free_rate: float
    costs: TradingCosts | None = None
    is_check: bool = False


def optimise(
    policy: AllocationPolicy,
    estimates: Estimates,
    constraints: Constraints,
    risk_free_rate: float = 0.0,
    previous: Mapping[str, float] | None = None,
    current: Mapping[str, float] | None = None,
    liquidity: Mapping[str, float] | None = None,
    is_check: bool = False,
) -> Outcome:
    """Weights for a policy, proven, or the reason why there are none.

    Args:
        policy: objective and its numbers.
        estimates: in the same label order as `constraints`.
        constraints: limits on the weights.
        risk_free_rate: a year, fraction.
        previous: the last published weights by label, used when nothing better can be proven.
        current: weights held now by label, as shares of what the targets are shares of, cash included; what they lack
            to 1 pays for purchases.
        liquidity: value traded a day over the portfolio's value, by label; a missing one is unknown.
        is_check: asked for beside other weights: the quickest solvers come first, proven alike.
    """
    if estimates.labels != constraints.labels:
        raise ValueError("estimates and constraints must have the same labels in the same order")
    limits = with_turnover(constraints, policy, current)
    try:
        require_feasible(limits)
    except InfeasibleError as error:
        return Outcome("failed", str(error))
    reasons: list[str] = []
    notes: tuple[str, ...] = ()
    plain = _Problem(policy, estimates, limits, risk_free_rate, is_check=is_check)
    try:
        problem = plain
        if policy.objective == "black_litterman":
            used, notes = with_views(estimates, policy.views)
            problem = replace(plain, estimates=used)
        costs, unknown = make_costs(policy, problem.estimates, current, liquidity)
        notes += unknown
        problem = replace(problem, costs=costs)
        return _outcome("optimal", None, _attempt(problem), problem, notes)
    except AllocationError as error:
        reasons.append(str(error))
    fallback = _fallback(plain, previous, reasons)
    if fallback is None:
        return Outcome("failed", "; ".join(reasons), notes=notes)
    name, proven = fallback
    return _outcome("fallback", f"{'; '.join(reasons)}; used {name}", proven, plain, notes)


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


def _fallback(
    problem: _Problem, previous: Mapping[str, float] | None, reasons: list[str]
) -> tuple[str, _Proven] | None:
    """The first fallback that can be proven, with its name; why the others could not joins `reasons`."""
    constraints = problem.constraints
    if problem.policy.objective != "min_volatility":
        try:
            policy = replace(problem.policy, objective="min_volatility")
            return "min_volatility", _attempt(replace(problem, policy=policy, costs=None))
        except AllocationError as error:
            reasons.append(str(error))
    if previous:
        weights = np.array([previous.get(label, 0.0) for label in constraints.labels], dtype=np.float64)
        found = problems(weights, constraints)
        if not found:
            return "previous weights", _Proven(Candidate(weights, "previous"), constraints, None)
        reasons.append(f"previous weights: {', '.join(found)}")
    try:
        return "equal weights within the limits", _equal(problem.estimates, constraints)
    except AllocationError as error:
        reasons.append(f"equal weights: {error}")
    return None


def _attempt(problem: _Problem) -> _Proven:
    """The objective solved and proven, with as many holdings as asked for.

    Where the optimum alone holds the right number, it is the optimum. Else the holdings are searched for, and the
    optimum under the bounds that this gives is solved and proven like any other. Methods that hold everything have no
    search: the `min_assets` largest weights (with min_holding all) are raised to the least weight of a holding.
    """
    constraints = problem.constraints
    if not constraints.counts_holdings:
        return _proven(problem, constraints)
    free = _proven(problem, constraints.convex())
    if not problems(free.candidate.weights, constraints):
        return replace(free, constraints=constraints)
    if problem.policy.objective in HOLDS_ALL:
        raised = _raised(problem, free.candidate.weights)
        require_feasible(raised)
        return _proven(problem, raised)
    choice = choose(problem.policy, problem.estimates, constraints, problem.risk_free_rate, problem.costs)
    return replace(_proven(problem, choice.constraints), choice=choice)


def _raised(problem: _Problem, weights: FloatArray) -> Constraints:
    constraints = problem.constraints
    size = len(constraints.labels)
    order = sorted(
        range(size),
        key=lambda i: (
            -round(float(weights[i]), 6),
            float(problem.estimates.covariance[i, i]),
            constraints.labels[i],
        ),
    )
    chosen = order if constraints.has_gap else order[: constraints.min_assets]
    if len(chosen) * constraints.holding > 1:
        raise InfeasibleError(
            f"{problem.policy.objective} holds all {size} instruments: at least {constraints.holding:g} of each is more"
            " than 1: lower min_holding or take some out"
        )
    lower = constraints.lower.copy()
    lower[chosen] = np.maximum(lower[chosen], np.minimum(constraints.holding, constraints.upper[chosen]))
    return replace(constraints, lower=lower)


def _proven(problem: _Problem, constraints: Constraints) -> _Proven:
    policy = problem.policy
    reasons: list[str] = []
    for solver in solvers_of(policy.objective, problem.is_check):
        try:
            candidate, used = solve_with_cuts(
                partial(_solve, problem, solver=solver), lambda found: found.weights, constraints
            )
        except UnsolvedError as error:
            reasons.append(str(error))
            continue
        found = problems(candidate.weights, constraints)
        residual = None
        if candidate.gradient is not None and not found:
            residual = kkt_residual(
                candidate.gradient,
                candidate.weights,
                used,
                candidate.active_gradients,
                candidate.scale,
                candidate.kinks,
            )
            if not residual <= KKT_TOLERANCE:
                found.append(f"not an optimum: KKT residual {residual:.1e}, limit {KKT_TOLERANCE:.0e}")
        if not found:
            return _Proven(candidate, constraints, residual)
        reasons.append(f"{policy.objective} by {solver}: {', '.join(found)}")
    raise UnsolvedError("; ".join(dict.fromkeys(reasons)))


def _solve(problem: _Problem, constraints: Constraints, *, solver: str) -> Candidate:
    return solve(problem.policy, problem.estimates, constraints, problem.risk_free_rate, solver, problem.costs)


def _equal(estimates: Estimates, constraints: Constraints) -> _Proven:
    """Equal weights, of the least volatile instruments where only some may be held, moved within the limits."""
    size = len(constraints.labels)
    equal = np.full(size, 1.0 / size)
    limits = constraints
    if constraints.max_assets is not None and constraints.max_assets < size:
        order = np.argsort(np.diag(estimates.covariance), kind="stable")
        held = np.zeros(size, dtype=bool)
        held[order[: constraints.max_assets]] = True
        equal = held / constraints.max_assets
        limits = replace(
            constraints,
            lower=np.where(held, np.maximum(constraints.lower, constraints.holding), 0.0),
            upper=np.where(held, constraints.upper, 0.0),
        )
    equal = settle(equal, limits)
    if problems(equal, constraints):
        equal, _ = solve_with_cuts(lambda used: project(equal, used, CONE_SOLVERS[0]), lambda found: found, limits)
    found = problems(equal, constraints)
    if found:
        raise UnsolvedError(", ".join(found))
    return _Proven(Candidate(equal, "equal"), limits, None)


def _outcome(status: str, reason: str | None, proven: _Proven, problem: _Problem, notes: tuple[str, ...]) -> Outcome:
    weights = np.clip(proven.candidate.weights, 0.0, None)
    return Outcome(
        status=status,
        reason=reason,
        solver=proven.candidate.solver,
        weights=weights,
        constraints=proven.constraints,
        estimates=problem.estimates,
        kkt_residual=proven.residual,
        figures=figures(weights, problem.estimates, problem.risk_free_rate),
        notes=notes + proven.choice.notes,
        selection=proven.choice.kind,
        selection_gap=proven.choice.gap,
    )
