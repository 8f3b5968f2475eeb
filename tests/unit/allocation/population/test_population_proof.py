"""The limits of a population asked of its weights, as assets.allocation.verify asks them of one portfolio."""

import numpy as np

from assets.allocation.model import AllocationPolicy, make_constraints
from assets.allocation.population.proof import keep_limits
from assets.allocation.verify import problems


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
