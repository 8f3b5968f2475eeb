"""Intervals of weights: against a loop over resamples by PyPortfolioOpt's own path, and when there are none."""

from dataclasses import replace

import numpy as np
import pytest

from assets.allocation.estimates import AlignedReturns, estimate
from assets.allocation.model import AllocationPolicy, GroupLimit, make_constraints
from assets.allocation.optimiser import optimise
from assets.allocation.population.bootstrap import RESAMPLES, resampled_days
from assets.allocation.weight_intervals import weight_interval

LABELS = ("a", "b", "c", "d")
ATTRIBUTES = {"a": {"chain": "x"}, "b": {"chain": "x"}}


def history(days: int) -> AlignedReturns:
    rng = np.random.default_rng(5)
    returns = rng.normal(0.0030, 0.01, (days, 1)) + rng.normal(0.0003, [0.005, 0.01, 0.015, 0.02], (days, 4))
    dates = np.datetime64("2024-01-01") + np.arange(days)
    return AlignedReturns(LABELS, dates, returns, 365, ())


def test_days_are_drawn_in_circular_blocks() -> None:
    drawn = resampled_days(100)
    assert drawn.shape == (RESAMPLES, 100)
    assert (drawn >= 0).all()
    assert (drawn < 100).all()
    blocks = drawn[:, :100].reshape(RESAMPLES, 20, 5)
    assert ((np.diff(blocks, axis=2) % 100) == 1).all()
    assert (drawn == resampled_days(100)).all()
    assert len(np.unique(drawn[:, 0])) > 60


@pytest.mark.parametrize(
    "policy",
    [
        AllocationPolicy("min_volatility", max_weight=0.6, group_limits=(GroupLimit("chain", "x", 0.1, 0.7),)),
        AllocationPolicy("max_sharpe", covariance="sample", max_weight=0.5),
    ],
    ids=lambda policy: policy.objective,
)
def test_they_are_those_of_a_loop_over_resamples(policy: AllocationPolicy) -> None:
    aligned = history(120)
    limits = make_constraints(policy, LABELS, ATTRIBUTES)
    found = weight_interval(policy, aligned, limits, 0.01)
    assert found is not None
    weights = []
    for days in resampled_days(120)[:: RESAMPLES // 10]:
        drawn = estimate(replace(aligned, returns=aligned.returns[days]), policy.expected_returns, policy.covariance)
        outcome = optimise(policy, drawn, limits, 0.01)
        if outcome.status == "optimal" and outcome.weights is not None:
            weights.append(outcome.weights)
    assert len(weights) >= 5
    # the loop's ten are among the two hundred: none lies far outside of their inner 95 %
    inside = (np.array(weights) >= found[:, 0] - 1e-4) & (np.array(weights) <= found[:, 1] + 1e-4)
    assert inside.mean() >= 0.8
    assert (found[:, 0] <= found[:, 1]).all()
    assert (found >= -1e-9).all()
    assert (found <= policy.max_weight + 1e-9).all()


def test_many_days_know_the_weights_better_and_few_do_not() -> None:
    policy = AllocationPolicy("min_volatility")
    limits = make_constraints(policy, LABELS, {})
    assert weight_interval(policy, history(59), limits, 0.0) is None
    widths = []
    for days in (80, 1_200):
        found = weight_interval(policy, history(days), limits, 0.0)
        assert found is not None
        widths.append(float((found[:, 1] - found[:, 0]).mean()))
    assert widths[1] < widths[0] / 2


def test_nothing_is_said_where_resamples_have_no_optimum() -> None:
    aligned = history(120)
    falling = replace(aligned, returns=aligned.returns - 0.05)
    policy = AllocationPolicy("max_sharpe", covariance="sample")
    assert weight_interval(policy, falling, make_constraints(policy, LABELS, {}), 0.0) is None
