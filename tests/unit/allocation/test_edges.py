"""What no market should do to an optimiser: singular, hopeless, short, rescaled and dominated universes.

Each ends in proven weights or in a named fallback, for every objective; stale and missing series never get this far
(test_estimates).
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assets.allocation.estimates import Estimates, EstimationError, PriceSeries, align_returns, estimate, make_estimates
from assets.allocation.model import OBJECTIVES, AllocationPolicy, View, make_constraints
from assets.allocation.optimiser import Outcome, optimise
from assets.allocation.risk_parity import contributions, equal_contributions
from assets.allocation.verify import problems

AS_OF = date(2024, 6, 30)
SETTINGS: dict[str, dict[str, object]] = {
    "efficient_risk": {"target": 0.3},
    "efficient_return": {"target": 0.05},
    "black_litterman": {"views": (View("equity:A", "equity:B", 0.05, 0.7),)},
}
NEEDS_RETURNS = ("max_sharpe", "black_litterman", "efficient_return")


def run(estimates: Estimates, objective: str, **more: object) -> Outcome:
    policy = AllocationPolicy(objective, **{**SETTINGS.get(objective, {}), **more})  # type: ignore[arg-type]
    limits = make_constraints(policy, estimates.labels, {})
    outcome = optimise(policy, estimates, limits, 0.02)
    if outcome.weights is not None:
        assert outcome.constraints is not None
        assert problems(outcome.weights, outcome.constraints) == []
    return outcome


def from_moments(means: list[float], matrix: object, seed: int = 0) -> Estimates:
    covariance = np.array(matrix, dtype=np.float64)
    labels = tuple(f"equity:{'ABCDEFGHIJ'[i]}" for i in range(len(means)))
    returns = np.random.default_rng(seed).multivariate_normal(np.array(means) / 252, covariance / 252, 200)
    return make_estimates(labels, np.array(means), covariance, returns, 252)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_a_singular_covariance(make_series: Callable[..., PriceSeries], objective: str) -> None:
    # twins, and fewer days than instruments' pairs would need
    one = make_series("equity:A", 1, drift=0.002)
    series = [one, replace(one, label="equity:TWIN"), make_series("equity:B", 2, drift=0.001)]
    outcome = run(estimate(align_returns(series, AS_OF, 365), "mean", "sample"), objective)
    assert outcome.status in ("optimal", "fallback")
    assert outcome.weights is not None
    assert (outcome.reason is None) == (outcome.status == "optimal")


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_more_instruments_than_days(make_series: Callable[..., PriceSeries], objective: str) -> None:
    series = [make_series(f"equity:{'AB'[i] if i < 2 else i}", i, days=25, drift=0.001) for i in range(40)]
    estimates = estimate(align_returns(series, AS_OF, 365), "mean", "sample")
    assert estimates.observations < len(estimates.labels)
    outcome = run(estimates, objective, max_weight=0.2)
    assert outcome.weights is not None, outcome.reason
    assert outcome.weights.max() <= 0.2 + 1e-6


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_all_returns_negative(objective: str) -> None:
    estimates = from_moments([-0.1, -0.3, -0.2], np.diag([0.04, 0.09, 0.01]))
    outcome = run(estimates, objective)
    if objective in NEEDS_RETURNS:
        assert outcome.status == "fallback"
        assert str(outcome.reason).endswith("used min_volatility")
    else:
        assert outcome.status == "optimal", outcome.reason


def test_what_is_not_a_number_never_reaches_a_solver() -> None:
    for means, matrix in (([np.nan, 0.1], np.eye(2)), ([0.1, 0.1], [[1.0, np.nan], [np.nan, 1.0]])):
        with pytest.raises(EstimationError, match=r"not a number: .*equity:A"):
            make_estimates(("equity:A", "equity:B"), np.array(means), np.array(matrix), np.zeros((30, 2)), 252)


def test_one_asset_under_limits_of_number() -> None:
    estimates = from_moments([0.1], [[0.04]])
    assert run(estimates, "min_volatility", max_assets=1, min_holding=0.5).status == "optimal"
    two = run(estimates, "min_volatility", min_assets=2)
    assert (two.status, two.weights) == ("failed", None)


@pytest.mark.parametrize("objective", ["min_volatility", "max_sharpe", "risk_parity", "herc", "max_diversification"])
def test_scaling_all_prices_moves_changes_no_weight(objective: str) -> None:
    random = np.random.default_rng(4)
    root = random.normal(size=(5, 8))
    means = random.uniform(0.04, 0.2, 5)
    plain = run(from_moments(list(means), root @ root.T / 100), objective)
    # twice the excess return and twice the volatility of everything
    scaled = run(from_moments(list(2 * (means - 0.02) + 0.02), root @ root.T / 25), objective)
    np.testing.assert_allclose(scaled.weights, plain.weights, atol=1e-6)


@pytest.mark.parametrize("objective", ["min_volatility", "max_sharpe", "efficient_risk", "efficient_return"])
def test_a_dominated_asset_is_not_held(objective: str) -> None:
    # beside the best of three uncorrelated ones: its risk and more, perfectly in step with it, for less return
    base = np.diag([0.02, 0.04, 0.09])
    with_worse = np.zeros((4, 4))
    with_worse[:3, :3] = base
    with_worse[3, 3] = 0.02 * 1.5**2
    with_worse[0, 3] = with_worse[3, 0] = 0.02 * 1.5
    means = [0.08, 0.09, 0.15]
    plain = run(from_moments(means, base), objective, target=0.1 if objective == "efficient_return" else 0.18)
    more = run(
        from_moments([*means, 0.05], with_worse), objective, target=0.1 if objective == "efficient_return" else 0.18
    )
    assert plain.weights is not None
    assert more.weights is not None
    assert more.weights[3] == pytest.approx(0, abs=1e-6)
    np.testing.assert_allclose(more.weights[:3], plain.weights, atol=1e-5)


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), size=st.integers(1, 12))
def test_contributions_are_equal_whatever_the_covariance(seed: int, size: int) -> None:
    random = np.random.default_rng(seed)
    root = random.normal(size=(size, size + 2)) * np.exp(random.normal(0, 2, (size, 1)))
    covariance = root @ root.T
    weights = equal_contributions(covariance)
    assert (weights > 0).all()
    np.testing.assert_allclose(contributions(weights, covariance), 1 / size, rtol=1e-8)
    order = random.permutation(size)
    np.testing.assert_allclose(equal_contributions(covariance[np.ix_(order, order)]), weights[order], rtol=1e-8)
