"""The chain from objective to fallback, and that no weights break a limit."""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from assets.allocation import optimiser
from assets.allocation.estimates import Estimates, PriceSeries, align_returns, estimate, make_estimates
from assets.allocation.model import OBJECTIVES, AllocationPolicy, Constraints, GroupLimit, View, make_constraints
from assets.allocation.objectives import Candidate
from assets.allocation.optimiser import Outcome, optimise
from assets.allocation.verify import binding, count_holdings, kkt_residual, problems

AS_OF = date(2024, 6, 30)
SETTINGS: dict[str, dict[str, object]] = {
    "efficient_risk": {"target": 0.25},
    "efficient_return": {"target": 0.2},
    "black_litterman": {"views": (View("equity:T", "equity:GE", 0.05, 0.7),)},
}
SECTORS = {
    "tech": ["GOOG", "AAPL", "FB", "AMZN", "BABA", "AMD"],
    "bank": ["BAC", "JPM", "MA"],
    "energy": ["XOM", "RRC"],
}


def sectors(labels: tuple[str, ...]) -> dict[str, dict[str, str | None]]:
    by_symbol = {symbol: sector for sector, symbols in SECTORS.items() for symbol in symbols}
    return {label: {"category": by_symbol.get(label.removeprefix("equity:"))} for label in labels}


def small(means: list[float], deviations: list[float], correlation: float = 0.0) -> Estimates:
    count = len(means)
    spread = np.array(deviations)
    matrix = np.outer(spread, spread) * (correlation + (1 - correlation) * np.eye(count))
    labels = tuple("abcdefgh"[:count])
    returns = np.random.default_rng(0).multivariate_normal(np.array(means) / 252, matrix / 252, 300)
    return make_estimates(labels, np.array(means), matrix, returns, 252)


def run(estimates: Estimates, policy: AllocationPolicy, previous: dict[str, float] | None = None) -> Outcome:
    limits = make_constraints(policy, estimates.labels, sectors(estimates.labels))
    return optimise(policy, estimates, limits, 0.02, previous)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_keeps_every_limit(published: Estimates, objective: str) -> None:
    policy = AllocationPolicy(
        objective,
        min_weight=0.01,
        max_weight=0.15,
        min_assets=12,
        group_limits=(
            GroupLimit("category", "tech", 0.1, 0.2),
            GroupLimit("category", "bank", 0.0, 0.1),
            GroupLimit("category", "uncategorised", 0.3, 0.9),
        ),
        **SETTINGS.get(objective, {}),  # type: ignore[arg-type]
    )
    outcome = run(published, policy)
    assert outcome.status == "optimal", outcome.reason
    weights = outcome.weights
    assert weights is not None
    assert weights.sum() == pytest.approx(1, abs=1e-6)
    assert weights.min() >= 0.01 - 1e-6
    assert weights.max() <= 0.15 + 1e-6
    held = dict(zip(published.labels, weights.tolist(), strict=True))
    tech = sum(held[f"equity:{symbol}"] for symbol in SECTORS["tech"])
    assert 0.1 - 1e-6 <= tech <= 0.2 + 1e-6
    assert sum(held[f"equity:{symbol}"] for symbol in SECTORS["bank"]) <= 0.1 + 1e-6


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_permuted_assets_get_the_same_weights_by_label(make_series: Callable[..., PriceSeries], objective: str) -> None:
    series = [make_series(f"equity:{name}", seed, drift=0.0003 * seed) for seed, name in enumerate("TXGAB", start=1)]
    series.append(make_series("equity:GE", 9))
    policy = AllocationPolicy(objective, max_weight=0.5, **SETTINGS.get(objective, {}))  # type: ignore[arg-type]
    found = []
    for order in (series, series[::-1]):
        estimates = estimate(align_returns(order, AS_OF, 365), "mean", "ledoit_wolf")
        outcome = run(estimates, policy)
        assert outcome.weights is not None
        found.append(dict(zip(estimates.labels, outcome.weights.tolist(), strict=True)))
    assert found[0] == found[1]


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_one_asset_takes_all(objective: str) -> None:
    settings = {**SETTINGS.get(objective, {})}
    if objective == "black_litterman":
        settings = {"views": (View("a", None, 0.2),)}
    outcome = run(small([0.21], [0.2]), AllocationPolicy(objective, **settings))  # type: ignore[arg-type]
    assert outcome.status == "optimal", outcome.reason
    assert outcome.weights is not None
    np.testing.assert_allclose(outcome.weights, [1.0], atol=1e-9)


@pytest.mark.parametrize("objective", ["max_sharpe", "min_volatility", "hrp", "cvar", "cdar"])
def test_duplicate_assets_and_a_singular_covariance(make_series: Callable[..., PriceSeries], objective: str) -> None:
    one = make_series("crypto:A", 1, drift=0.002)
    series = [one, replace(one, label="crypto:TWIN"), make_series("crypto:B", 2, drift=0.002)]
    estimates = estimate(align_returns(series, AS_OF, 365), "mean", "sample")
    outcome = run(estimates, AllocationPolicy(objective))
    assert outcome.status == "optimal", outcome.reason
    assert outcome.weights is not None
    alone = run(estimate(align_returns([one, series[2]], AS_OF, 365), "mean", "sample"), AllocationPolicy(objective))
    assert alone.weights is not None
    if objective != "hrp":  # which does not know that the twins are one
        # labels are sorted: A, B, TWIN
        assert outcome.weights[0] + outcome.weights[2] == pytest.approx(alone.weights[0], abs=1e-3)


def test_min_volatility_has_its_closed_form() -> None:
    # uncorrelated: weights as 1 / variance
    outcome = run(small([0.1, 0.1], [0.1, 0.2]), AllocationPolicy("min_volatility"))
    assert outcome.weights is not None
    np.testing.assert_allclose(outcome.weights, [0.8, 0.2], atol=1e-6)
    assert outcome.figures is not None
    assert outcome.figures.volatility == pytest.approx(0.008**0.5)


def test_max_sharpe_has_its_closed_form() -> None:
    # uncorrelated: weights as excess return / variance: 0.08 / 0.01 to 0.16 / 0.04
    outcome = run(small([0.10, 0.18], [0.1, 0.2]), AllocationPolicy("max_sharpe"))
    assert outcome.weights is not None
    np.testing.assert_allclose(outcome.weights, [2 / 3, 1 / 3], atol=1e-6)


def test_all_returns_negative_falls_back_with_the_reason() -> None:
    outcome = run(small([-0.1, -0.2], [0.1, 0.2]), AllocationPolicy("max_sharpe"))
    assert outcome.status == "fallback"
    assert outcome.reason is not None
    assert "no expected return is above the risk-free rate (best -0.1000, rate 0.0200)" in outcome.reason
    assert outcome.reason.endswith("used min_volatility")
    assert outcome.weights is not None
    np.testing.assert_allclose(outcome.weights, [0.8, 0.2], atol=1e-6)


def test_limits_that_leave_no_excess_return_fall_back() -> None:
    # the first alone earns more than 2 %, and may be 10 % at most
    outcome = run(small([0.05, -0.2, -0.2], [0.1, 0.2, 0.3]), AllocationPolicy("max_sharpe", max_weight=0.5))
    assert outcome.status == "fallback"


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        (
            AllocationPolicy("efficient_risk", target=0.01),
            "the least volatility within the limits is 0.08944, the target",
        ),
        # two halves: without max_weight 0.0894 could be had
        (AllocationPolicy("efficient_risk", target=0.1, max_weight=0.5), "is 0.1118, the target 0.1: raise it"),
        (AllocationPolicy("efficient_return", target=5.0), "maximum possible return"),
        (AllocationPolicy("efficient_return"), "needs a target"),
        (AllocationPolicy("black_litterman"), "without a view"),
        (AllocationPolicy("qaoa"), "not available"),
    ],
)
def test_an_objective_without_a_solution_falls_back(policy: AllocationPolicy, reason: str) -> None:
    outcome = run(small([0.1, 0.2], [0.1, 0.2]), policy)
    assert outcome.status == "fallback"
    assert reason in str(outcome.reason)


@pytest.mark.parametrize(
    ("policy", "reason"),
    [
        (AllocationPolicy("max_sharpe", max_weight=0.4), "max_weight × 2 instruments is 0.8, below 1"),
        (AllocationPolicy("hrp", min_weight=0.6), "min_weight × 2 instruments is 1.2, above 1"),
        (AllocationPolicy("cvar", min_assets=3), "min_assets 3 of a universe of 2"),
        (
            AllocationPolicy("max_sharpe", group_limits=(GroupLimit("chain", "ethereum", 0.2, 1),)),
            "chain=ethereum can reach 0, its minimum is 0.2",
        ),
        (
            AllocationPolicy("max_sharpe", min_weight=0.3, group_limits=(GroupLimit("chain", "off_chain", 0, 0.5),)),
            "chain=off_chain needs 0.6 by min_weight, its maximum is 0.5",
        ),
        (
            AllocationPolicy(
                "max_sharpe",
                group_limits=(GroupLimit("chain", "off_chain", 0, 0.5), GroupLimit("protocol", "none", 0, 0.4)),
            ),
            "no weights keep all limits at once",
        ),
    ],
)
def test_infeasible_limits_fail_without_weights(policy: AllocationPolicy, reason: str) -> None:
    outcome = run(small([0.1, 0.2], [0.1, 0.2]), policy, previous={"a": 0.5, "b": 0.5})
    assert outcome.status == "failed"
    assert reason in str(outcome.reason)
    assert outcome.weights is None
    assert outcome.figures is None


def test_min_assets_raises_the_best(published: Estimates) -> None:
    free = run(published, AllocationPolicy("max_sharpe"))
    assert free.weights is not None
    assert count_holdings(free.weights) < 15
    outcome = run(published, AllocationPolicy("max_sharpe", min_assets=15))
    assert outcome.status == "optimal", outcome.reason
    assert outcome.weights is not None
    assert outcome.constraints is not None
    assert count_holdings(outcome.weights) >= 15
    # all that the free optimum held are among them, and each is worth having
    assert ((free.weights > 1e-4) <= (outcome.weights > 0.0099)).all()
    assert (outcome.constraints.lower > 0).sum() == 15


def broken(weights: list[float]) -> Callable[..., Candidate]:
    def solve(*_: object) -> Candidate:
        return Candidate(np.array(weights), "BROKEN", np.array([1.0, 0.0]))

    return solve


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        ([1.2, -0.2], "negative weight"),
        ([float("nan"), 1.0], "a weight is not a number"),
        ([0.6, 0.6], "add up to 1.2"),
        ([0.5, 0.5], "not an optimum: KKT residual"),
    ],
)
def test_what_a_solver_calls_optimal_is_proven(
    monkeypatch: pytest.MonkeyPatch, weights: list[float], reason: str
) -> None:
    monkeypatch.setattr(optimiser, "solve", broken(weights))
    estimates = small([0.1, 0.2], [0.1, 0.2])
    outcome = run(estimates, AllocationPolicy("max_sharpe"), previous={"a": 0.3, "b": 0.7})
    assert outcome.status == "fallback"
    assert reason in str(outcome.reason)
    assert str(outcome.reason).endswith("used previous weights")
    assert outcome.weights is not None
    np.testing.assert_array_equal(outcome.weights, [0.3, 0.7])


def test_the_last_resort_is_equal_weights_within_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optimiser, "solve", broken([1.2, -0.2]))
    estimates = small([0.1, 0.2, 0.1], [0.1, 0.2, 0.3])
    policy = AllocationPolicy("max_sharpe", group_limits=(GroupLimit("category", "x", 0.5, 1),))
    limits = make_constraints(policy, estimates.labels, {"c": {"category": "x"}})
    outcome = optimise(policy, estimates, limits, 0.0, previous={"a": 1.0, "gone": 0.2})
    assert outcome.status == "fallback"
    assert "previous weights: category=x holds 0.000000" in str(outcome.reason)
    assert outcome.weights is not None
    np.testing.assert_allclose(outcome.weights, [0.25, 0.25, 0.5], atol=1e-6)


def test_kkt_residual_tells_an_optimum_from_its_neighbour() -> None:
    limits = Constraints(("a", "b"), np.zeros(2), np.ones(2))
    variance = np.diag([0.01, 0.04])
    best, near = np.array([0.8, 0.2]), np.array([0.79, 0.21])
    assert kkt_residual(variance @ best, best, limits) == pytest.approx(0, abs=1e-12)
    assert kkt_residual(variance @ near, near, limits) > 1e-2
    # at a bound the multiplier has one sign: all in the riskier one is no minimum, all in the safer one is none here
    corner = np.array([0.0, 1.0])
    assert kkt_residual(variance @ corner, corner, limits) > 0.5
    assert kkt_residual(np.array([0.0, 1.0]), np.array([1.0, 0.0]), limits) == pytest.approx(0, abs=1e-12)
    assert np.isnan(kkt_residual(np.array([np.nan, 1.0]), best, limits))


def test_problems_names_each() -> None:
    limits = Constraints(("a", "b"), np.full(2, 0.1), np.full(2, 0.8), min_assets=2)
    assert problems(np.array([0.5, 0.5]), limits) == []
    assert problems(np.array([0.9, 0.1]), limits) == ["a is 1.00e-01 above its upper bound"]
    assert len(problems(np.array([1.0, 0.0]), limits)) == 3
    assert problems(np.array([1.0]), limits) == ["(1,) weights for 2 instruments"]
    np.testing.assert_array_equal(binding(np.array([0.8, 0.2]), limits.lower, limits.upper), [True, False])


def test_importing_the_store_loads_no_solver() -> None:
    code = (
        "import sys; import assets.allocation.store, assets.allocation.pictures;"
        "print([m for m in ('pypfopt', 'cvxpy', 'pandas', 'scipy', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("objective", ["min_volatility", "max_sharpe", "efficient_return", "efficient_risk"])
def test_a_check_is_as_good_as_the_answer_it_is_compared_with(published: Estimates, objective: str) -> None:
    """Quadratic programmes by another solver, a volatility target by the same one."""
    policy = AllocationPolicy(objective, target=0.2 if objective.startswith("efficient") else None, max_weight=0.3)
    limits = make_constraints(policy, published.labels, {})
    usual, check = (optimise(policy, published, limits, 0.02, is_check=is_check) for is_check in (False, True))
    assert (usual.solver, check.solver) == ("CLARABEL", "CLARABEL" if objective == "efficient_risk" else "HIGHS")
    assert check.status == "optimal"
    assert usual.figures is not None
    assert check.figures is not None
    assert check.figures.sharpe_ratio == pytest.approx(usual.figures.sharpe_ratio, abs=1e-6)
    assert check.figures.volatility == pytest.approx(usual.figures.volatility, abs=1e-7)
