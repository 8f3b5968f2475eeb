"""Limits of very many linear rows, of which only those that a solution breaks are handed to a solver.

Belongs here: which row is broken, and the loop of solving and adding. Must not be here: solvers, the search for the
right number of holdings (selection).

Sales of at most T are one row for each set A of instruments: what is held of A, less T, must stay in A. At least k
holdings of at least h weaken to a row for each A too: of k holdings at least k - n + |A| are in A, so A weighs at least
h (k - n + |A|). In both the worst A is known from the weights, so that a handful of rows does for all of them, and
every solver that knows of group limits knows of these.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import numpy as np

from assets.allocation.model import BoolArray, Constraints, FloatArray, GroupBound, UnsolvedError

_TOLERANCE = 1e-8
_ROUNDS = 200

Solved = TypeVar("Solved")


def solve_with_cuts(
    solve: Callable[[Constraints], Solved],
    weights_of: Callable[[Solved], FloatArray],
    constraints: Constraints,
    covered: BoolArray | None = None,
) -> tuple[Solved, Constraints]:
    """Solve, add the rows that the solution breaks, and again until it breaks none.

    Args:
        solve: solves under the bounds and groups of its argument.
        weights_of: the weights (n,) of what it gives.
        constraints: `turnover` and, where `covered` is given, `min_assets` are made rows.
        covered: (n,) bool, the instruments that may be among the `min_assets` holdings.

    Returns:
        The last solution, and the limits with the rows that it needed.

    Raises:
        UnsolvedError: rows were still broken after 200 rounds; and what `solve` raises.
    """
    for _ in range(_ROUNDS):
        solved = solve(constraints)
        weights = weights_of(solved)
        if not np.isfinite(weights).all():
            return solved, constraints
        rows = [_broken_turnover(weights, constraints), _broken_cover(weights, constraints, covered)]
        new = tuple(row for row in rows if row is not None)
        if not new:
            return solved, constraints
        constraints = replace(constraints, groups=constraints.groups + new)
    raise UnsolvedError(f"limits on turnover or holdings are still broken after {_ROUNDS} rounds")


def _broken_turnover(weights: FloatArray, constraints: Constraints) -> GroupBound | None:
    turnover = constraints.turnover
    if turnover is None or turnover.sold(weights) <= turnover.limit + _TOLERANCE:
        return None
    sold = weights < turnover.current
    debt = max(float(turnover.current.sum()) - 1.0, 0.0)
    return GroupBound("max_turnover", sold, float(turnover.current[sold].sum()) - turnover.limit - debt, 1.0)


def _broken_cover(weights: FloatArray, constraints: Constraints, covered: BoolArray | None) -> GroupBound | None:
    if covered is None or constraints.min_assets <= 1:
        return None
    holding = constraints.holding
    short = covered & (weights < holding)
    needed = constraints.min_assets - int((covered & ~short).sum())
    if needed <= 0 or float(weights[short].sum()) >= holding * needed - _TOLERANCE * holding:
        return None
    return GroupBound("min_assets", short, holding * needed, 1.0)
