"""Proof of weights: every limit kept, nothing non-finite, and for the smooth problems the conditions of an optimum.

Belongs here: checks that need no solver's word (PyPortfolioOpt was seen to call negative weights "optimal"), and
whether limits can be met at all. Must not be here: how weights are found.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from assets.allocation.model import HOLDING_TOLERANCE, Constraints, FloatArray, InfeasibleError

SUM_TOLERANCE = 1e-6
BOUND_TOLERANCE = 1e-6
# Relative: share of the gradient that no multiplier explains. Clarabel at its default precision leaves below 1e-6.
KKT_TOLERANCE = 1e-4
# Within this of a limit, the limit counts as active.
ACTIVE_TOLERANCE = 1e-5


def problems(weights: FloatArray, constraints: Constraints) -> list[str]:
    """Every way in which `weights` (n,) break `constraints`; empty when they keep them all.

    Finite, sum 1 +- 1e-6, bounds, group limits and turnover within 1e-6, no weight below -1e-6, as many holdings as
    asked for, each of at least its least weight (within 1e-6). A NaN is a problem, never a pass.
    """
    if weights.shape != constraints.lower.shape:
        return [f"{weights.shape} weights for {len(constraints.labels)} instruments"]
    if not np.isfinite(weights).all():
        return ["a weight is not a number"]
    found = []
    if not abs(weights.sum() - 1) <= SUM_TOLERANCE:
        found.append(f"weights add up to {weights.sum():.8f}")
    if (weights < -BOUND_TOLERANCE).any():
        found.append(f"negative weight {weights.min():.2e} of {constraints.labels[int(weights.argmin())]}")
    below, above = constraints.lower - weights, weights - constraints.upper
    for name, excess in (("below its lower bound", below), ("above its upper bound", above)):
        worst = int(excess.argmax())
        if excess[worst] > BOUND_TOLERANCE:
            found.append(f"{constraints.labels[worst]} is {excess[worst]:.2e} {name}")
    for group in constraints.groups:
        total = float(weights[group.members].sum())
        if not group.minimum - BOUND_TOLERANCE <= total <= group.maximum + BOUND_TOLERANCE:
            found.append(f"{group.name} holds {total:.6f}, limits {group.minimum:g} to {group.maximum:g}")
    if constraints.turnover is not None:
        sold = constraints.turnover.sold(weights)
        if sold > constraints.turnover.limit + BOUND_TOLERANCE:
            found.append(f"{sold:.6f} sold, max_turnover {constraints.turnover.limit:g}")
    return found + _miscounted(weights, constraints)


def _miscounted(weights: FloatArray, constraints: Constraints) -> list[str]:
    found = []
    holdings = count_holdings(weights, constraints.holding)
    if holdings < constraints.min_assets:
        found.append(f"{holdings} holdings, at least {constraints.min_assets}")
    if not constraints.has_gap:
        return found
    held = weights > BOUND_TOLERANCE
    if constraints.max_assets is not None and held.sum() > constraints.max_assets:
        found.append(f"{held.sum()} holdings, at most {constraints.max_assets}")
    if (held & (weights < constraints.holding - BOUND_TOLERANCE)).any():
        least = float(weights[held].min())
        found.append(f"a holding of {least:.6f}, min_holding {constraints.holding:g}")
    return found


def count_holdings(weights: FloatArray, holding: float = HOLDING_TOLERANCE) -> int:
    """How many weights are at least `holding` (within 1e-6)."""
    return int((weights >= holding - BOUND_TOLERANCE).sum())


def binding(weights: FloatArray, lower: FloatArray, upper: FloatArray) -> Any:
    """(n,) bool: the weight sits at its lower or upper bound (within 1e-5)."""
    at_lower = weights - lower <= ACTIVE_TOLERANCE
    at_upper = upper - weights <= ACTIVE_TOLERANCE
    return at_lower | at_upper


def kkt_residual(
    gradient: FloatArray,
    weights: FloatArray,
    constraints: Constraints,
    active_gradients: Sequence[FloatArray] = (),
    scale: float | None = None,
    kinks: FloatArray | None = None,
) -> float:
    """How far `weights` are from the first-order conditions of a minimum, as a share of the gradient.

    With g the gradient (n,) of what is minimised, and A the gradients of the active limits (the sum, free in sign;
    bounds and groups within 1e-5 of binding and `active_gradients` of an objective's own limit, written as a(w) <= 0),
    it is  min over multipliers l of |g + A'l|_2 / scale  (l >= 0, but for the sum), found by non-negative least
    squares. `scale` is |g|_2 unless given: the gradient of a ratio vanishes at its optimum, and would be compared with
    its own rounding. Where the objective has a kink, `kinks` (n,) holds half the jump of its gradient, and g may be
    anywhere within it. Karush, Kuhn and Tucker's conditions hold where the residual is 0. They are sufficient for a
    convex problem, and for the Sharpe ratio where it is positive (pseudo-concave). Nothing the solver said is used.

    Returns:
        The residual, >= 0; 0 where the gradient vanishes; NaN where the gradient is not finite.
    """
    from scipy.optimize import lsq_linear, nnls

    if not np.isfinite(gradient).all():
        return float("nan")
    norm = float(np.linalg.norm(gradient)) if scale is None else scale
    if norm == 0:
        return 0.0
    size = len(weights)
    ones = np.ones(size)
    columns = [ones, -ones]
    identity = np.eye(size)
    columns += [-identity[i] for i in np.flatnonzero(weights - constraints.lower <= ACTIVE_TOLERANCE)]
    columns += [identity[i] for i in np.flatnonzero(constraints.upper - weights <= ACTIVE_TOLERANCE)]
    for group in constraints.groups:
        member = group.members.astype(np.float64)
        total = float(weights @ member)
        if total - group.minimum <= ACTIVE_TOLERANCE:
            columns.append(-member)
        if group.maximum - total <= ACTIVE_TOLERANCE:
            columns.append(member)
    columns += [a / max(float(np.linalg.norm(a)), np.finfo(np.float64).tiny) for a in active_gradients]
    matrix = np.column_stack(columns)
    if kinks is None or not (kinks > 0).any():
        return float(nnls(matrix, -gradient / norm)[1])
    width = kinks[kinks > 0] / norm
    low = np.concatenate([np.zeros(matrix.shape[1]), -width])
    high = np.concatenate([np.full(matrix.shape[1], np.inf), width])
    found = lsq_linear(np.column_stack([matrix, identity[:, kinks > 0]]), -gradient / norm, (low, high), method="bvls")
    return float(np.sqrt(2.0 * found.cost))


def require_feasible(constraints: Constraints) -> None:
    """Make sure that some weights keep the limits.

    Raises:
        InfeasibleError: none do; the message names the limit where one alone is to blame.
    """
    from scipy.optimize import linprog

    size = len(constraints.labels)
    lower, upper = float(constraints.lower.sum()), float(constraints.upper.sum())
    if size == 0:
        raise InfeasibleError("the universe is empty")
    if (constraints.lower > constraints.upper).any():
        raise InfeasibleError("min_weight is above max_weight")
    if upper < 1 - SUM_TOLERANCE:
        raise InfeasibleError(f"max_weight × {size} instruments is {upper:.4g}, below 1: raise max_weight or add some")
    if lower > 1 + SUM_TOLERANCE:
        raise InfeasibleError(f"min_weight × {size} instruments is {lower:.4g}, above 1: lower min_weight")
    if constraints.min_assets > size:
        raise InfeasibleError(f"min_assets {constraints.min_assets} of a universe of {size}: lower it or add some")
    most = constraints.max_assets
    if most is not None and float(np.sort(constraints.upper)[::-1][:most].sum()) < 1 - SUM_TOLERANCE:
        raise InfeasibleError(f"max_assets {most} of max_weight {constraints.upper.max():.4g} is below 1: raise one")
    for group in constraints.groups:
        reach = float(constraints.upper[group.members].sum())
        least = float(constraints.lower[group.members].sum())
        if reach < group.minimum - BOUND_TOLERANCE:
            raise InfeasibleError(f"{group.name} can reach {reach:.4g}, its minimum is {group.minimum:g}")
        if least > group.maximum + BOUND_TOLERANCE:
            raise InfeasibleError(f"{group.name} needs {least:.4g} by min_weight, its maximum is {group.maximum:g}")
    rows, limits = _group_rows(constraints)
    result = linprog(
        np.zeros(size),
        A_ub=rows,
        b_ub=limits,
        A_eq=np.ones((1, size)),
        b_eq=[1.0],
        bounds=np.column_stack([constraints.lower, constraints.upper]),
        method="highs",
    )
    if result.status != 0:
        names = ", ".join(group.name for group in constraints.groups)
        raise InfeasibleError(f"no weights keep all limits at once (groups: {names}): loosen one")
    _require_turnover(constraints, rows, limits)


def _require_turnover(constraints: Constraints, rows: FloatArray | None, limits: FloatArray | None) -> None:
    """Make sure that the other limits can be kept without selling more than is allowed."""
    from scipy.optimize import linprog

    turnover = constraints.turnover
    if turnover is None:
        return
    debt = max(float(turnover.current.sum()) - 1.0, 0.0)
    most = constraints.max_assets
    if most is not None:
        # at best the largest positions stay, and all others go
        stays = np.sort(np.minimum(turnover.current, constraints.upper))[::-1][:most].sum()
        needed = float(turnover.current.sum() - stays) - debt
        if needed > turnover.limit + SUM_TOLERANCE:
            raise InfeasibleError(
                f"max_assets {most} needs {needed:.4g} of the portfolio sold, max_turnover is {turnover.limit:g}: "
                "raise one"
            )
    # beside each weight stands what is sold of it, at least what it falls short of the current one
    size = len(constraints.labels)
    identity = np.eye(size)
    sold = np.hstack([-identity, -identity])
    groups = np.empty((0, 2 * size)) if rows is None else np.hstack([rows, np.zeros_like(rows)])
    bounds = np.column_stack([constraints.lower, constraints.upper])
    result = linprog(
        np.repeat([0.0, 1.0], size),
        A_ub=np.vstack([sold, groups]),
        b_ub=np.concatenate([-turnover.current, np.empty(0) if limits is None else limits]),
        A_eq=np.repeat([1.0, 0.0], size)[None, :],
        b_eq=[1.0],
        bounds=np.vstack([bounds, np.tile([0.0, np.inf], (size, 1))]),
        method="highs",
    )
    if result.status != 0:
        return  # the limits alone were found to be feasible: the solvers have the word
    needed = float(result.fun) - debt
    if needed > turnover.limit + SUM_TOLERANCE:
        raise InfeasibleError(
            f"the limits need {needed:.4g} of the portfolio sold, max_turnover is {turnover.limit:g}: raise it"
        )


def _group_rows(constraints: Constraints) -> tuple[FloatArray | None, FloatArray | None]:
    if not constraints.groups:
        return None, None
    rows = []
    limits = []
    for group in constraints.groups:
        member = group.members.astype(np.float64)
        rows += [member, -member]
        limits += [group.maximum, -group.minimum]
    return np.array(rows), np.array(limits)
