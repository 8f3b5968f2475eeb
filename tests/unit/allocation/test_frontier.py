"""The efficient frontier and its picture."""

import numpy as np
import pytest

from assets.allocation.estimates import Estimates, make_estimates
from assets.allocation.frontier import efficient_frontier, frontier_of, highest_return, sharpe_ratios
from assets.allocation.model import AllocationPolicy, GroupLimit, InfeasibleError, make_constraints
from assets.allocation.pictures import frontier_picture, weights_picture
from assets.allocation.verify import problems


def test_the_published_frontier_runs_from_least_volatile_to_highest_return(published: Estimates) -> None:
    limits = make_constraints(AllocationPolicy("max_sharpe"), published.labels, {})
    points = efficient_frontier(published, limits)
    assert points.numbers.tolist() == list(range(1, 21))
    assert points.missed == ()
    assert points.note is None
    # PyPortfolioOpt 65cabce, test_min_volatility; the other end holds the best asset alone
    assert points.volatility[0] == pytest.approx(0.15915084514118694, abs=1e-6)
    best = int(published.expected_returns.argmax())
    assert points.expected_return[-1] == pytest.approx(published.expected_returns[best], abs=1e-5)
    returns, volatilities = points.expected_return.tolist(), points.volatility.tolist()
    assert returns == sorted(returns)
    assert volatilities == sorted(volatilities)
    np.testing.assert_allclose(np.diff(returns), np.diff(returns)[0], rtol=1e-3)
    # convex: each step in return costs more volatility than the last
    assert (np.diff(volatilities, n=2) > -1e-7).all()
    # no point beats the published best Sharpe ratio
    assert sharpe_ratios(points.expected_return, points.volatility, 0.02).max() <= 1.2847714127003216 + 1e-6


def test_every_point_keeps_the_limits(published: Estimates) -> None:
    policy = AllocationPolicy(
        "max_sharpe", min_weight=0.01, max_weight=0.12, min_assets=18, group_limits=(GroupLimit("chain", "off_chain"),)
    )
    limits = make_constraints(policy, published.labels, {})
    points = efficient_frontier(published, limits)
    assert len(points.numbers) == 20
    assert all(problems(weights, limits) == [] for weights in points.weights.T)
    assert points.expected_return[-1] == pytest.approx(highest_return(published.expected_returns, limits), abs=1e-5)


def test_equal_returns_make_one_point() -> None:
    found = make_estimates(("a", "b"), np.array([0.1, 0.1]), np.diag([0.01, 0.04]), np.zeros((30, 2)), 252)
    points = efficient_frontier(found, make_constraints(AllocationPolicy("hrp"), found.labels, {}))
    assert points.numbers.tolist() == [1]
    assert points.volatility[0] == pytest.approx(0.008**0.5)


def test_a_point_without_a_proof_keeps_its_number_and_is_named() -> None:
    expected = np.array([0.1, np.nan, 0.3, np.nan])
    found = frontier_of(expected, np.array([0.2, np.nan, 0.4, np.nan]), np.ones((2, 4)), 3)
    assert (found.numbers.tolist(), found.missed) == ([1, 3], (2,))
    assert found.note == "frontier: no proven optimum for points 2"
    nothing = frontier_of(np.full(4, np.nan), np.full(4, np.nan), np.full((2, 4), np.nan), 0)
    assert (len(nothing.numbers), nothing.missed) == (0, (1,))


def test_infeasible_limits_raise() -> None:
    found = make_estimates(("a", "b"), np.array([0.1, 0.2]), np.diag([0.01, 0.04]), np.zeros((30, 2)), 252)
    with pytest.raises(InfeasibleError):
        efficient_frontier(found, make_constraints(AllocationPolicy("hrp", max_weight=0.4), found.labels, {}))


def test_pictures_are_480_by_300() -> None:
    for picture in (
        frontier_picture([(0.1, 0.05), (0.2, 0.1)], chosen=(0.15, 0.08)),
        weights_picture({f"equity:{number}": 1 / 20 for number in range(20)}),
    ):
        assert picture.startswith(b"\x89PNG")
        assert (int.from_bytes(picture[16:20]), int.from_bytes(picture[20:24])) == (480, 300)
