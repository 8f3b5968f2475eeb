"""The objectives: one problem, one solver, one set of weights, by PyPortfolioOpt 1.6.0.

Belongs here: how each objective is put to PyPortfolioOpt, and the gradient that proves it. Must not be here: what
happens when one fails (optimiser), SQL, estimates from prices.

HRP and HERC know no limits: where their weights break one, they are projected on the limits (least squares), so the
result is the nearest admissible portfolio. Maximum diversification is the largest Sharpe ratio where every instrument
earns its own volatility (Choueifaty and Coignard 2008); Black-Litterman's is that of its posterior (black_litterman).
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from assets.allocation.costs import TradingCosts, best_after_costs
from assets.allocation.estimates import Estimates
from assets.allocation.hierarchical import herc_weights, hrp_weights
from assets.allocation.model import AllocationPolicy, Constraints, FloatArray, UnsolvedError
from assets.allocation.projection import SOLVER_OPTIONS, project, settle
from assets.allocation.risk_parity import parity_gradient, risk_parity
from assets.allocation.verify import ACTIVE_TOLERANCE

# They give a weight to every instrument, by a rule instead of an optimum over some of them.
HOLDS_ALL = ("hrp", "herc", "risk_parity")
# Their return can bear trading costs.
AFTER_COSTS = ("max_sharpe", "black_litterman", "efficient_risk", "efficient_return")
# In this order: Clarabel is the precise one; where it stops short of a proof, SCS goes on.
CONE_SOLVERS = ("CLARABEL", "SCS")
LINEAR_SOLVERS = ("CLARABEL", "HIGHS")
# Quadratic programmes by active sets: 20 ms at n = 200 where Clarabel takes 50, and the objective within 1e-9.
QUADRATIC_SOLVERS = ("HIGHS", *CONE_SOLVERS)
QUADRATIC = ("min_volatility", "max_sharpe", "efficient_return")


@dataclass(frozen=True)
class Candidate:
    """Weights (n,) that a solver gave, not yet proven.

    `gradient` (n,) of what was minimised, `active_gradients` of the objective's own limit and the `scale` of the
    gradient are for the KKT residual, `kinks` (n,) half the jump of the gradient where it has one; None for objectives
    without one (hrp, herc; cvar and cdar, whose minimum is all kinks).
    """

    weights: FloatArray
    solver: str
    gradient: FloatArray | None = None
    active_gradients: tuple[FloatArray, ...] = ()
    scale: float | None = None
    kinks: FloatArray | None = None


def solvers_of(objective: str, is_check: bool = False) -> Sequence[str]:
    """Solvers to try, best first: the most precise, for a check the quickest that can be proven."""
    if is_check and objective in QUADRATIC:
        return QUADRATIC_SOLVERS
    return LINEAR_SOLVERS if objective in ("cvar", "cdar") else CONE_SOLVERS


def solve(
    policy: AllocationPolicy,
    estimates: Estimates,
    constraints: Constraints,
    risk_free_rate: float,
    solver: str,
    costs: TradingCosts | None = None,
) -> Candidate:
    """Solve the policy's objective once, with one solver, under bounds and groups alone.

    Raises:
        UnsolvedError: the objective has no solution under these limits, or the solver found none.
    """
    objectives: dict[str, Callable[[], Candidate]] = {
        "max_sharpe": lambda: _max_sharpe(estimates, constraints, risk_free_rate, solver),
        "black_litterman": lambda: _max_sharpe(estimates, constraints, risk_free_rate, solver),
        "min_volatility": lambda: _min_volatility(estimates, constraints, solver),
        "efficient_risk": lambda: _efficient_risk(estimates, constraints, _target(policy), solver),
        "efficient_return": lambda: _efficient_return(estimates, constraints, _target(policy), solver),
        "max_diversification": lambda: _max_sharpe(with_own_volatility(estimates), constraints, 0.0, solver),
        "risk_parity": lambda: _risk_parity(estimates, constraints, solver),
        "hrp": lambda: _admissible(hrp_weights(estimates.covariance), constraints, "HRP", solver),
        "herc": lambda: _admissible(herc_weights(estimates.covariance), constraints, "HERC", solver),
        "cvar": lambda: _tail(estimates, constraints, policy.confidence, solver, "cvar"),
        "cdar": lambda: _tail(estimates, constraints, policy.confidence, solver, "cdar"),
    }
    if costs is not None and policy.objective in AFTER_COSTS:
        objectives[policy.objective] = lambda: _after_costs(
            policy, estimates, constraints, risk_free_rate, solver, costs
        )
    if policy.objective not in objectives:
        raise UnsolvedError(f"objective {policy.objective!r} is not available")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            candidate = objectives[policy.objective]()
    except UnsolvedError:
        raise
    # cvxpy and the solvers raise many kinds (SolverError, ArpackError, ValueError, PanicException's kin)
    except Exception as error:
        raise UnsolvedError(f"{policy.objective} by {solver}: {_message(error)}") from error
    return replace(candidate, weights=settle(candidate.weights, constraints))


def frontier_model(estimates: Estimates, constraints: Constraints, solver: str) -> Any:
    """A PyPortfolioOpt EfficientFrontier with these limits."""
    from pypfopt import EfficientFrontier

    model = EfficientFrontier(
        estimates.expected_returns,
        estimates.covariance,
        weight_bounds=_bounds(constraints),
        solver=solver,
        solver_options=SOLVER_OPTIONS.get(solver),
    )
    _add_groups(model, constraints)
    return model


def with_own_volatility(estimates: Estimates) -> Estimates:
    """The estimates with each instrument's volatility as its return: the Sharpe ratio is the diversification ratio."""
    return replace(estimates, expected_returns=np.sqrt(np.diag(estimates.covariance)))


def _bounds(constraints: Constraints) -> list[tuple[float, float]]:
    # Pairs by asset: PyPortfolioOpt reads (lower array, upper array) as pairs too when there are exactly two assets.
    return list(zip(constraints.lower.tolist(), constraints.upper.tolist(), strict=True))


def _add_groups(model: Any, constraints: Constraints) -> None:
    for group in constraints.groups:
        member = group.members.astype(np.float64)
        if not group.members.any():
            continue  # nothing to limit; a minimum that cannot be met is refused by require_feasible
        if group.maximum < 1:
            model.add_constraint(lambda w, member=member, group=group: member @ w <= group.maximum)
        if group.minimum > 0:
            model.add_constraint(lambda w, member=member, group=group: member @ w >= group.minimum)


def _target(policy: AllocationPolicy) -> float:
    if policy.target is None:
        raise UnsolvedError(f"{policy.objective} needs a target")
    return float(policy.target)


def _weights(model: Any) -> FloatArray:
    return np.asarray(model.weights, dtype=np.float64)


def _volatility_gradient(weights: FloatArray, covariance: FloatArray) -> FloatArray:
    marginal: FloatArray = covariance @ weights
    return marginal / np.sqrt(weights @ marginal) if weights @ marginal > 0 else marginal


def _max_sharpe(estimates: Estimates, constraints: Constraints, risk_free_rate: float, solver: str) -> Candidate:
    best = float(estimates.expected_returns.max())
    if best <= risk_free_rate:
        raise UnsolvedError(
            f"no expected return is above the risk-free rate (best {best:.4f}, rate {risk_free_rate:.4f})"
        )
    model = frontier_model(estimates, constraints, solver)
    model.max_sharpe(risk_free_rate=risk_free_rate)
    weights = settle(_weights(model), constraints)
    excess = float(weights @ estimates.expected_returns) - risk_free_rate
    if not excess > 0:
        raise UnsolvedError("within the limits no portfolio earns more than the risk-free rate")
    variance = float(weights @ estimates.covariance @ weights)
    # of -excess / volatility: two terms that cancel at the optimum, so that one of them is the scale
    reward = (estimates.expected_returns - risk_free_rate) / variance**0.5
    risk = excess * (estimates.covariance @ weights) / variance**1.5
    return Candidate(weights, solver, risk - reward, scale=float(np.linalg.norm(reward)))


def _min_volatility(estimates: Estimates, constraints: Constraints, solver: str) -> Candidate:
    model = frontier_model(estimates, constraints, solver)
    model.min_volatility()
    weights = settle(_weights(model), constraints)
    return Candidate(weights, solver, _volatility_gradient(weights, estimates.covariance))


def _efficient_risk(estimates: Estimates, constraints: Constraints, target: float, solver: str) -> Candidate:
    from pypfopt.exceptions import OptimizationError

    model = frontier_model(estimates, constraints, solver)
    try:
        model.efficient_risk(target)
    except (ValueError, OptimizationError):
        # the library tells the least of weights without any limit, or nothing
        calmest = _min_volatility(estimates, constraints, solver).weights
        least = float(np.sqrt(calmest @ estimates.covariance @ calmest))
        if least <= target:
            raise
        raise UnsolvedError(
            f"the least volatility within the limits is {least:.4g}, the target {target:g}: raise it"
        ) from None
    weights = settle(_weights(model), constraints)
    marginal = _volatility_gradient(weights, estimates.covariance)
    volatility = float(np.sqrt(weights @ estimates.covariance @ weights))
    if volatility > target * (1 + 1e-6):
        raise UnsolvedError(f"volatility {volatility:.6f} is above the target {target:.6f}")
    is_active = volatility >= target * (1 - ACTIVE_TOLERANCE)
    return Candidate(weights, solver, -estimates.expected_returns, (marginal,) if is_active else ())


def _efficient_return(estimates: Estimates, constraints: Constraints, target: float, solver: str) -> Candidate:
    model = frontier_model(estimates, constraints, solver)
    model.efficient_return(target)
    weights = settle(_weights(model), constraints)
    expected = float(weights @ estimates.expected_returns)
    if expected < target - 1e-6:
        raise UnsolvedError(f"expected return {expected:.6f} is below the target {target:.6f}")
    gradient = _volatility_gradient(weights, estimates.covariance)
    is_active = expected <= target + ACTIVE_TOLERANCE
    return Candidate(weights, solver, gradient, (-estimates.expected_returns,) if is_active else ())


def _after_costs(
    policy: AllocationPolicy,
    estimates: Estimates,
    constraints: Constraints,
    risk_free_rate: float,
    solver: str,
    costs: TradingCosts,
) -> Candidate:
    is_ratio = policy.objective in ("max_sharpe", "black_litterman")
    name, parameter = ("max_sharpe", risk_free_rate) if is_ratio else (policy.objective, _target(policy))
    raw = best_after_costs(name, estimates, constraints, costs, parameter, solver, SOLVER_OPTIONS.get(solver, {}))
    weights = settle(raw, constraints)
    slope, kinks = costs.gradient(weights)
    net = float(weights @ estimates.expected_returns) - costs.of(weights)
    volatility = float(np.sqrt(weights @ estimates.covariance @ weights))
    if is_ratio:
        if not net > risk_free_rate:
            raise UnsolvedError("within the limits no portfolio earns more than the risk-free rate after trading costs")
        reward = (estimates.expected_returns - risk_free_rate - slope) / volatility
        risk = (net - risk_free_rate) * (estimates.covariance @ weights) / volatility**3
        return Candidate(weights, solver, risk - reward, scale=float(np.linalg.norm(reward)), kinks=kinks / volatility)
    marginal = _volatility_gradient(weights, estimates.covariance)
    if name == "efficient_return" and net > parameter + ACTIVE_TOLERANCE:
        return Candidate(weights, solver, marginal)  # the target does not bind: no cost is in play
    is_active = name == "efficient_return" or volatility >= parameter * (1 - ACTIVE_TOLERANCE)
    # the least risk for a return is the best return for that risk, whose conditions bound the kinks
    gradient = slope - estimates.expected_returns
    return Candidate(weights, solver, gradient, (marginal,) if is_active else (), kinks=kinks)


def _risk_parity(estimates: Estimates, constraints: Constraints, solver: str) -> Candidate:
    raw = risk_parity(estimates.covariance, constraints, solver, SOLVER_OPTIONS.get(solver, {}))
    weights = settle(raw, constraints)
    gradient, scale = parity_gradient(weights, estimates.covariance)
    return Candidate(weights, solver, gradient, scale=scale)


def _admissible(raw: FloatArray, constraints: Constraints, name: str, solver: str) -> Candidate:
    """Weights (n,) of a method that knows no limits, or the nearest ones within them."""
    keeps_bounds = (raw >= constraints.lower).all() and (raw <= constraints.upper).all()
    keeps_groups = all(g.minimum <= raw[g.members].sum() <= g.maximum for g in constraints.groups)
    if keeps_bounds and keeps_groups:
        return Candidate(raw, name)
    return Candidate(project(raw, constraints, solver), f"{name}+{solver}")


def _tail(estimates: Estimates, constraints: Constraints, confidence: float, solver: str, kind: str) -> Candidate:
    from pypfopt import EfficientCDaR, EfficientCVaR

    kinds = {"cvar": (EfficientCVaR, "min_cvar"), "cdar": (EfficientCDaR, "min_cdar")}
    model_type, method = kinds[kind]
    model = model_type(
        estimates.expected_returns,
        estimates.returns,
        beta=confidence,
        weight_bounds=_bounds(constraints),
        solver=solver,
        solver_options=SOLVER_OPTIONS.get(solver),
    )
    _add_groups(model, constraints)
    getattr(model, method)()
    return Candidate(settle(_weights(model), constraints), solver)


def _message(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
