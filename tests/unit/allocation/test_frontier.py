"""The efficient frontier and its picture."""

import numpy as np
import pytest

from assets.allocation.estimates import Estimates, make_estimates
from assets.allocation.frontier import efficient_frontier, highest_return
from assets.allocation.model import AllocationPolicy, GroupLimit, InfeasibleError, make_constraints
from assets.allocation.pictures import frontier_picture, weights_picture
from assets.allocation.verify import problems


def test_the_published_frontier_runs_from_least_volatile_to_highest_return(published: Estimates) -> None:
    limits = make_constraints(AllocationPolicy("max_sharpe"), published.labels, {})
    points = efficient_frontier(published, limits, 0.02).points
    assert [at.point for at in points] == list(range(1, 21))
    # PyPortfolioOpt 65cabce, test_min_volatility; the other end holds the best asset alone
    assert points[0].volatility == pytest.approx(0.15915084514118694, abs=1e-6)
    best = int(published.expected_returns.argmax())
    assert points[-1].expected_return == pytest.approx(published.expected_returns[best], abs=1e-5)
    returns, volatilities = [at.expected_return for at in points], [at.volatility for at in points]
    assert returns == sorted(returns)
    assert volatilities == sorted(volatilities)
    np.testing.assert_allclose(np.diff(returns), np.diff(returns)[0], rtol=1e-3)
    # convex: each step in return costs more volatility than the last
    assert (np.diff(volatilities, n=2) > -1e-7).all()
    # no point beats the published best Sharpe ratio
    assert max(at.sharpe_ratio or 0 for at in points) <= 1.2847714127003216 + 1e-6


def test_every_point_keeps_the_limits(published: Estimates) -> None:
    policy = AllocationPolicy(
        "max_sharpe", min_weight=0.01, max_weight=0.12, min_assets=18, group_limits=(GroupLimit("chain", "off_chain"),)
    )
    limits = make_constraints(policy, published.labels, {})
    points = efficient_frontier(published, limits).points
    assert len(points) == 20
    assert all(problems(at.weights, limits) == [] for at in points)
    assert points[-1].expected_return == pytest.approx(highest_return(published.expected_returns, limits), abs=1e-5)


def test_equal_returns_make_one_point() -> None:
    found = make_estimates(("a", "b"), np.array([0.1, 0.1]), np.diag([0.01, 0.04]), np.zeros((30, 2)), 252)
    points = efficient_frontier(found, make_constraints(AllocationPolicy("hrp"), found.labels, {})).points
    assert len(points) == 1
    assert points[0].volatility == pytest.approx(0.008**0.5)


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
