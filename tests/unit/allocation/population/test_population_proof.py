"""Limits asked of the weights of many portfolios, against the same questions of one."""

import numpy as np
import pytest

from assets.allocation.model import AllocationPolicy, GroupLimit, make_constraints
from assets.allocation.population.optimum import GroupLimits
from assets.allocation.population.proof import keep_limits
from assets.allocation.verify import problems

LABELS = ("a", "b", "c", "d")
ATTRIBUTES = {"a": {"chain": "x"}, "b": {"chain": "x"}}
POLICY = AllocationPolicy(
    "min_volatility", max_weight=0.5, min_assets=3, group_limits=(GroupLimit("chain", "x", 0.2, 0.6),)
)
GOOD = [0.3, 0.3, 0.4, 0.0]
BAD = {
    "not a number": [np.nan, 0.3, 0.4, 0.3],
    "sum": [0.3, 0.3, 0.39, 0.0],
    "negative": [0.3, 0.3, 0.5, -0.1],
    "above its bound": [0.2, 0.1, 0.6, 0.1],
    "group above": [0.4, 0.3, 0.3, 0.0],
    "group below": [0.1, 0.0, 0.5, 0.4],
    "too few holdings": [0.5, 0.0, 0.495, 0.005],
}


@pytest.mark.parametrize("kind", BAD)
def test_a_broken_limit_is_seen_beside_good_weights(kind: str) -> None:
    limits = make_constraints(POLICY, LABELS, ATTRIBUTES)
    weights = np.array([*GOOD, *BAD[kind], *GOOD])
    found = keep_limits(
        weights,
        np.array([0, 4, 8, 12]),
        np.tile(np.arange(4), 3),
        np.zeros(12),
        np.full(12, 0.5),
        GroupLimits(np.array([[1.0, 1.0, 0.0, 0.0]]), np.array([0.2]), np.array([0.6])),
        np.full(3, 3),
        np.full(3, limits.holding),
    )
    assert found.tolist() == [True, False, True]
    assert problems(np.array(GOOD), limits) == []
    assert problems(np.array(BAD[kind]), limits) != []


def test_holdings_count_from_their_least_weight_as_for_one_portfolio() -> None:
    policies = [AllocationPolicy("max_sharpe", min_assets=3), AllocationPolicy("max_sharpe", min_assets=3)]
    each = [np.array([0.985, 0.01, 0.005]), np.array([0.98, 0.01, 0.01])]
    kept = keep_limits(
        np.concatenate(each), np.array([0, 3, 6]), np.tile(np.arange(3), 2), np.zeros(6), np.ones(6), None,
        np.array([policy.min_assets for policy in policies]), np.array([policy.holding for policy in policies]),
    )  # fmt: skip
    assert kept.tolist() == [False, True]
    for policy, weights, is_kept in zip(policies, each, kept, strict=True):
        assert (problems(weights, make_constraints(policy, ("a", "b", "c"), {})) == []) == is_kept
