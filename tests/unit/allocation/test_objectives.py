"""The objectives against figures that PyPortfolioOpt publishes in its own tests (commit 65cabce)."""

from datetime import date

import numpy as np
import pytest

from assets.allocation.black_litterman import with_views
from assets.allocation.estimates import Estimates, PriceSeries, align_returns, estimate, make_estimates
from assets.allocation.model import AllocationPolicy, Constraints, FloatArray, UnsolvedError, View, make_constraints
from assets.allocation.objectives import solve
from assets.allocation.optimiser import Outcome, figures, optimise
from assets.allocation.projection import project, settle

LAST_DAY = date(2018, 4, 11)
RISK_FREE_RATE = 0.02


def run(published: Estimates, objective: str, **settings: object) -> Outcome:
    policy = AllocationPolicy(objective, **settings)  # type: ignore[arg-type]
    return optimise(policy, published, make_constraints(policy, published.labels, {}), RISK_FREE_RATE)


@pytest.mark.parametrize(
    ("objective", "target", "expected"),
    [
        # tests/test_efficient_frontier.py::test_max_sharpe_long_only
        ("max_sharpe", None, (0.3047768672819914, 0.22165566922402932, 1.2847714127003216)),
        # ::test_min_volatility
        ("min_volatility", None, (0.15056821399482578, 0.15915084514118694, 0.8204054077060996)),
        # ::test_efficient_risk
        ("efficient_risk", 0.19, (0.2552422849133517, 0.19, 1.2381172871434818)),
        # ::test_efficient_return
        ("efficient_return", 0.25, (0.25, 0.18723269942026335, 1.2284179030274036)),
    ],
)
def test_published_performance(
    published: Estimates, objective: str, target: float | None, expected: tuple[float, float, float]
) -> None:
    outcome = run(published, objective, target=target)
    assert outcome.status == "optimal", outcome.reason
    found = outcome.figures
    assert found is not None
    np.testing.assert_allclose((found.expected_return, found.volatility, found.sharpe_ratio), expected, atol=1e-6)
    assert outcome.kkt_residual is not None
    assert outcome.kkt_residual < 1e-5


def test_published_hrp(published: Estimates, ledoit_wolf: FloatArray) -> None:
    # tests/test_hrp.py::test_pass_cov_matrix
    shrunk = make_estimates(published.labels, published.expected_returns, ledoit_wolf, published.returns, 252)
    outcome = run(shrunk, "hrp")
    assert outcome.solver == "HRP"
    assert outcome.figures is not None
    assert outcome.figures.volatility == pytest.approx(0.10002783894982334, abs=1e-7)


def test_published_cvar(published: Estimates) -> None:
    # tests/test_efficient_cvar.py::test_cvar_example: (0.17745746040573562, 0.017049502122532853), tolerance 1e-4
    outcome = run(published, "cvar", confidence=0.95)
    assert outcome.weights is not None
    assert outcome.figures is not None
    assert outcome.figures.expected_return == pytest.approx(0.17745746040573562, abs=1e-4)
    losses = np.sort(-(published.returns @ outcome.weights))[::-1]
    # expected loss of the worst 5 %: 895 returns, 44.75 of them
    tail = (losses[:44].sum() + 0.75 * losses[44]) / 44.75
    assert tail == pytest.approx(0.017049502122532853, abs=1e-6)


def test_published_cdar(stock_series: list[PriceSeries]) -> None:
    # tests/test_efficient_cdar.py::test_cdar_example: (0.14798, 0.056433), tolerance 1e-4
    found = estimate(align_returns(stock_series, LAST_DAY, 4 * 366), "mean", "sample")
    assert found.observations == 895
    policy = AllocationPolicy("cdar", confidence=0.95)
    outcome = optimise(policy, found, make_constraints(policy, found.labels, {}))
    assert outcome.weights is not None
    assert outcome.figures is not None
    assert outcome.figures.expected_return == pytest.approx(0.14798, abs=1e-4)
    wealth = np.concatenate([[0.0], np.cumsum(found.returns @ outcome.weights)])
    drawdowns = np.sort((np.maximum.accumulate(wealth) - wealth)[1:])[::-1]
    assert (drawdowns[:44].sum() + 0.75 * drawdowns[44]) / 44.75 == pytest.approx(0.056433, abs=1e-4)


@pytest.mark.parametrize("confidence", [0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
def test_published_idzorek_confidences(confidence: float) -> None:
    # tests/test_black_litterman.py::test_idzorek_basic: prior 0.1, views of 0.3, identity covariance: linear between
    labels = tuple("abcde")
    prior = make_estimates(labels, np.full(5, 0.1), np.eye(5), np.zeros((30, 5)), 252)
    posterior, left_out = with_views(prior, [View(label, None, 0.3, confidence) for label in labels])
    np.testing.assert_allclose(posterior.expected_returns, 0.1 + confidence * 0.2, atol=1e-6)
    assert left_out == ()


def test_a_relative_view_moves_both_sides_apart() -> None:
    prior = make_estimates(("a", "b", "c"), np.full(3, 0.1), np.diag([0.04, 0.04, 0.04]), np.zeros((30, 3)), 252)
    posterior, _ = with_views(prior, [View("a", "b", 0.06, 0.5)])
    # half the confidence: half of the 6 points, shared alike by two alike assets; the third knows nothing of it
    np.testing.assert_allclose(posterior.expected_returns, [0.115, 0.085, 0.1], atol=1e-9)


def test_black_litterman_follows_its_view(published: Estimates) -> None:
    plain = run(published, "max_sharpe")
    viewed = run(published, "black_litterman", views=(View("equity:XOM", None, 0.6, 0.9),))
    at = published.labels.index("equity:XOM")
    assert plain.weights is not None
    assert viewed.weights is not None
    assert viewed.status == "optimal"
    assert viewed.weights[at] > plain.weights[at] + 0.1


def test_a_view_on_an_absent_instrument_is_left_out_and_said(published: Estimates) -> None:
    views = (View("equity:XOM", None, 0.6), View("equity:NONE", "equity:XOM", 0.1))
    outcome = run(published, "black_litterman", views=views)
    assert outcome.status == "optimal"
    assert outcome.notes == ("view on equity:NONE left out: equity:NONE not in the universe",)
    alone = run(published, "black_litterman", views=views[1:])
    assert alone.status == "fallback"
    assert "equity:NONE" in str(alone.reason)


def test_two_assets_keep_their_own_bounds() -> None:
    # PyPortfolioOpt reads a pair of arrays as pairs by asset when there are exactly two assets
    found = make_estimates(("a", "b"), np.array([0.1, 0.1]), np.diag([0.01, 1.0]), np.zeros((30, 2)), 252)
    limits = Constraints(("a", "b"), np.array([0.0, 0.2]), np.array([0.9, 1.0]))
    outcome = optimise(AllocationPolicy("min_volatility"), found, limits)
    assert outcome.weights is not None
    np.testing.assert_allclose(outcome.weights, [0.8, 0.2], atol=1e-6)


def test_projection_is_the_nearest_admissible_point() -> None:
    limits = Constraints(("a", "b", "c"), np.zeros(3), np.full(3, 0.5))
    # the excess 0.2 of the first is shared alike by the other two
    np.testing.assert_allclose(project(np.array([0.7, 0.2, 0.1]), limits, "CLARABEL"), [0.5, 0.3, 0.2], atol=1e-6)


def test_settle_takes_rounding_out_and_leaves_errors_alone() -> None:
    limits = Constraints(("a", "b", "c"), np.zeros(3), np.ones(3))
    settled = settle(np.array([-3e-9, 0.4, 0.6]), limits)
    assert settled[0] == 0
    assert settled.sum() == pytest.approx(1, abs=1e-15)
    wrong = np.array([-0.01, 0.41, 0.6])
    np.testing.assert_array_equal(settle(wrong, limits), wrong)


def test_sharpe_interval_is_los() -> None:
    found = make_estimates(("a",), np.array([0.12]), np.array([[0.04]]), np.zeros((252, 1)), 252)
    at = figures(np.ones(1), found, 0.02)
    # S = 0.5; sqrt(252 x (1 + 0.25 / 504) / 252)
    half = 1.959963984540054 * (1 + 0.25 / 504) ** 0.5
    assert at.sharpe_ratio == pytest.approx(0.5)
    assert at.sharpe_low == pytest.approx(0.5 - half)
    assert at.sharpe_high == pytest.approx(0.5 + half)


def test_unknown_objective_is_refused(published: Estimates) -> None:
    policy = AllocationPolicy("qaoa")
    limits = make_constraints(policy, published.labels, {})
    with pytest.raises(UnsolvedError, match="qaoa"):
        solve(policy, published, limits, 0.0, "CLARABEL")
