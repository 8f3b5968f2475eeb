"""Mean-variance optima of a whole population of portfolios over one universe, each proven or refused with a status.

Belongs here: the shapes and checks of what goes in, the statuses that come out. Must not be here: the solver
(quadratic_kernel), what replaces a refused answer (the caller's chain: least volatility, previous weights, equal
weights), SQL, labels.

A portfolio's answer depends on its own members, in their order, and on nothing else: not on its place in the
population, its neighbours, or how the population is cut into shards.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assets.allocation.population import quadratic_kernel
from assets.allocation.population.shapes import Floats, Integers, floats, integers, require_population, spread
from assets.performance.compiled import kernel

OBJECTIVES = {
    "min_volatility": quadratic_kernel.MIN_VOLATILITY,
    "max_sharpe": quadratic_kernel.MAX_SHARPE,
    "efficient_risk": quadratic_kernel.EFFICIENT_RISK,
    "efficient_return": quadratic_kernel.EFFICIENT_RETURN,
}
OPTIMAL = "optimal"
#: why there are no weights; `optimal` where there are
STATUSES = np.array(
    [
        OPTIMAL,
        "empty",
        "not_finite",
        "not_positive_semidefinite",
        "infeasible",
        "no_excess_return",
        "zero_volatility",
        "target_out_of_reach",
        "unsolved",
        "unproven",
    ],
    dtype="U32",
)


@dataclass(frozen=True)
class GroupLimits:
    """Limits on sums of weights, the same for all portfolios.

    Attributes:
        rows: (groups, N) 1 for a member, else 0 (or any coefficients).
        least: (groups,) rows @ weights >= least.
        most: (groups,) rows @ weights <= most.
    """

    rows: Floats
    least: Floats
    most: Floats


@dataclass(frozen=True)
class Optima:
    """Weights of a population.

    Attributes:
        offsets: (portfolios + 1,) weights of portfolio j are weights[offsets[j]:offsets[j + 1]].
        weights: as the members that were passed; NaN where the status is not `optimal`.
        value: (portfolios,) volatility (min_volatility, efficient_return), Sharpe ratio (max_sharpe) or expected return
            (efficient_risk); NaN where the status is not `optimal`.
        kkt_residual: (portfolios,) share of the gradient that no multipliers explain, at most 1e-7 where `optimal`; NaN
            where nothing was solved.
        status: (portfolios,) one of STATUSES.
    """

    offsets: Integers
    weights: Floats
    value: Floats
    kkt_residual: Floats
    status: NDArray[np.str_]


def solve_population(
    covariance: Floats,
    expected_returns: Floats,
    offsets: Integers,
    members: Integers,
    objective: str,
    *,
    lower: ArrayLike = 0.0,
    upper: ArrayLike = 1.0,
    groups: GroupLimits | None = None,
    risk_free_rate: ArrayLike = 0.0,
    targets: ArrayLike = np.nan,
    kept: ArrayLike = 1.0,
    added: ArrayLike = 0.0,
) -> Optima:
    """Optimal weights of each portfolio over its own part of the universe.

    Args:
        covariance: (N, N) symmetric, a year. NaN or infinity refuses the portfolios that hold such a pair.
        expected_returns: (N,) a year, fractions; not read by min_volatility.
        offsets: (portfolios + 1,) members of portfolio j are members[offsets[j]:offsets[j + 1]].
        members: positions in the universe.
        objective: one of OBJECTIVES.
        lower: least weight, one for all or as members.
        upper: largest weight, likewise.
        groups: further limits.
        risk_free_rate: a year, for max_sharpe, one for all or one a portfolio.
        targets: volatility (efficient_risk) or return (efficient_return), likewise.
        kept: the portfolio's own covariance is kept x covariance + added x identity, likewise (see moments).
        added: likewise.

    Returns:
        Weights that keep the bounds exactly and sum to 1 within 1e-9, with their proof; else a status that says why
        there are none.

    Raises:
        ValueError: arrays that do not fit together, a member outside the universe, an asymmetric covariance.
    """
    if objective not in OBJECTIVES:
        raise ValueError(f"objective {objective!r}, expected one of {', '.join(OBJECTIVES)}")
    covariance, offsets, members = require_population(covariance, offsets, members)
    expected_returns = floats(expected_returns)
    count = len(offsets) - 1
    limits = rows_of(groups, expected_returns, len(covariance))
    weights = np.empty(len(members))
    values, residuals = np.empty(count), np.empty(count)
    statuses = np.empty(count, dtype=np.int64)
    steps = int((np.diff(offsets) ** 3).sum())
    kernel(quadratic_kernel.solve_population, steps)(
        covariance,
        expected_returns,
        offsets,
        members,
        spread(lower, len(members)),
        spread(upper, len(members)),
        limits.rows,
        limits.least,
        limits.most,
        OBJECTIVES[objective],
        spread(risk_free_rate, count),
        spread(targets, count),
        spread(kept, count),
        spread(added, count),
        weights,
        values,
        residuals,
        statuses,
    )
    return Optima(offsets, weights, values, residuals, STATUSES[statuses])


def rows_of(groups: GroupLimits | None, expected_returns: Floats, universe: int) -> GroupLimits:
    """The group limits in the form that the kernels read; none are no rows.

    Raises:
        ValueError: they or the expected returns do not fit a universe of so many, or a row is not finite.
    """
    if expected_returns.shape != (universe,):
        raise ValueError(f"{expected_returns.shape} expected returns for a covariance of {universe}")
    if groups is None:
        return GroupLimits(np.empty((0, universe)), np.empty(0), np.empty(0))
    rows = floats(groups.rows)
    if rows.shape != (len(groups.least), universe) or len(groups.least) != len(groups.most):
        raise ValueError(f"group rows {rows.shape}, expected ({len(groups.least)}, {universe}) and as many limits")
    if not np.isfinite(rows).all():
        raise ValueError("group rows hold a value that is not finite")
    return GroupLimits(rows, floats(groups.least), floats(groups.most))


def best_returns(
    expected_returns: Floats, offsets: Integers, members: Integers, lower: ArrayLike = 0.0, upper: ArrayLike = 1.0
) -> Floats:
    """The largest expected return (portfolios,) that weights between their bounds can have; arguments as above."""
    best = np.empty(len(offsets) - 1)
    kernel(quadratic_kernel.fill_best_returns, len(members))(
        floats(expected_returns),
        integers(offsets),
        integers(members),
        spread(lower, len(members)),
        spread(upper, len(members)),
        best,
    )
    return best
