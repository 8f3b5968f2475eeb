"""Confidence intervals of weights: how much a policy's optimum hangs on the days that happened to be there.

Belongs here: the same estimators and the same compiled solver on resampled days. Must not be here: which portfolios ask
for it (engine), how days are drawn (population.bootstrap), SQL.
"""

from dataclasses import replace

import numpy as np

from assets.allocation.estimates import AlignedReturns, estimate
from assets.allocation.frontier import group_limits
from assets.allocation.model import AllocationPolicy, Constraints, EstimationError, FloatArray
from assets.allocation.population.bootstrap import CONFIDENCE, MIN_DAYS, RESAMPLES, resampled_days
from assets.allocation.population.optimum import OPTIMAL, GroupLimits, solve_population

# assets solved in one call: many resamples stand side by side as blocks of one universe
_TOGETHER = 2_000


def weight_interval(
    policy: AllocationPolicy, aligned: AlignedReturns, constraints: Constraints, risk_free_rate: float
) -> FloatArray | None:
    """The 2.5 % and 97.5 % quantiles of the weights that resampled days give, (n, 2).

    Days are drawn in circular blocks as for the Sharpe ratio; bounds and groups are kept, a number of holdings is not
    asked for.

    Args:
        policy: of an objective of the compiled solver.
        aligned: the portfolio's own returns (t, n).
        constraints: in the same label order.
        risk_free_rate: a year, fraction.

    Returns:
        None below 60 days, or where fewer than half of the resamples have an optimum.
    """
    if len(aligned.returns) < MIN_DAYS:
        return None
    means, matrices = [], []
    for days in resampled_days(len(aligned.returns)):
        try:
            drawn = replace(aligned, returns=aligned.returns[days])
            found = estimate(drawn, policy.expected_returns, policy.covariance, risk_free_rate)
        except EstimationError:
            continue
        means.append(found.expected_returns)
        matrices.append(found.covariance)
    each = max(_TOGETHER // len(aligned.labels), 1)
    weights = [
        solved
        for begin in range(0, len(means), each)
        for solved in _solved(
            policy, means[begin : begin + each], matrices[begin : begin + each], constraints, risk_free_rate
        )
    ]
    if 2 * len(weights) < RESAMPLES:
        return None
    interval: FloatArray = np.quantile(weights, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=0).T
    return interval


def _solved(
    policy: AllocationPolicy,
    means: list[FloatArray],
    matrices: list[FloatArray],
    constraints: Constraints,
    risk_free_rate: float,
) -> list[FloatArray]:
    """Weights (n,) of those that have an optimum."""
    count, size = len(means), len(means[0])
    covariance = np.zeros((count * size, count * size))
    for i, matrix in enumerate(matrices):
        covariance[i * size : (i + 1) * size, i * size : (i + 1) * size] = (matrix + matrix.T) / 2
    groups = group_limits(constraints)
    if groups is not None:
        groups = GroupLimits(np.tile(groups.rows, count), groups.least, groups.most)
    found = solve_population(
        covariance,
        np.concatenate(means),
        np.arange(count + 1) * size,
        np.arange(count * size),
        policy.objective,
        lower=np.tile(constraints.lower, count),
        upper=np.tile(constraints.upper, count),
        groups=groups,
        risk_free_rate=risk_free_rate,
        targets=np.nan if policy.target is None else policy.target,
    )
    return [found.weights[i * size : (i + 1) * size] for i in np.flatnonzero(found.status == OPTIMAL).tolist()]
