"""Answers of many portfolios: alone or together, compiled or by PyPortfolioOpt, the same; and what is refused."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from assets.allocation import batch
from assets.allocation.answers import Answer, Job
from assets.allocation.engine import answer, is_compiled, sample_of
from assets.allocation.estimates import PriceSeries, align_returns, estimate
from assets.allocation.inputs import Histories
from assets.allocation.model import AllocationPolicy, GroupLimit, make_constraints
from assets.allocation.optimiser import figures, optimise

AS_OF = date(2024, 6, 30)
NAMES = [f"crypto:{letter}" for letter in "ABCDEFGHIJ"]
ATTRIBUTES = {name: {"category": "odd" if place % 2 else "even"} for place, name in enumerate(NAMES)}
POLICIES = {
    "least": AllocationPolicy("min_volatility", max_weight=0.4),
    "sample": AllocationPolicy("min_volatility", covariance="sample", max_weight=0.4),
    "steep": AllocationPolicy("max_sharpe", covariance="exponential", expected_returns="ema", max_weight=0.5),
    "oas": AllocationPolicy("efficient_return", covariance="oas", target=0.1, max_weight=0.6),
    "risk": AllocationPolicy("efficient_risk", covariance="sample", target=0.25),
    "groups": AllocationPolicy(
        "min_volatility", covariance="sample", group_limits=(GroupLimit("category", "odd", 0.1, 0.3),)
    ),
    "hrp": AllocationPolicy("hrp", covariance="sample"),
    "limited-hrp": AllocationPolicy("hrp", covariance="sample", max_weight=0.3),
    "many": AllocationPolicy("max_sharpe", covariance="sample", min_assets=6),
    "bounded": AllocationPolicy("min_volatility", covariance="sample", weight_intervals=True),
    "capm": AllocationPolicy("max_sharpe", expected_returns="capm", covariance="sample"),
    "tail": AllocationPolicy("cvar", covariance="sample"),
}


@pytest.fixture(scope="module")
def series() -> dict[str, PriceSeries]:
    last = np.datetime64("2024-06-30", "D")
    dates = np.arange(last - np.timedelta64(199, "D"), last + np.timedelta64(1, "D"), dtype="datetime64[D]")
    rng = np.random.default_rng(3)
    market = rng.normal(0.0008, 0.008, 200)
    found = {}
    for place, name in enumerate(NAMES):
        prices = 100 * np.cumprod(1 + (0.4 + 0.1 * place) * market + rng.normal(0.0004, 0.008 + 0.001 * place, 200))
        found[name] = PriceSeries(name, dates, prices, prices, 365, 5)
    return found


def job(name: str, policy: AllocationPolicy, candidates: list[str] | None = None, rate: float = 0.02) -> Job:
    rng = np.random.default_rng(len(name))
    chosen = sorted(rng.choice(NAMES, 6, replace=False).tolist()) if candidates is None else candidates
    return Job(name, f"user-{name}", policy, tuple(chosen), rate)


def answers(jobs: list[Job], series: dict[str, PriceSeries], sample: frozenset[str] = frozenset()) -> dict[str, Answer]:
    return answer(jobs, Histories(AS_OF, series), ATTRIBUTES, sample)


def bits(found: Answer) -> tuple[object, ...]:
    outcome = found.outcome
    weights = None if outcome.weights is None else outcome.weights.tobytes()
    frontier = found.frontier
    points = None if frontier is None else (frontier.numbers.tobytes(), frontier.volatility.tobytes())
    interval = None if found.weight_interval is None else found.weight_interval.tobytes()
    return (
        outcome.status,
        outcome.reason,
        outcome.figures,
        outcome.kkt_residual,
        weights,
        interval,
        points,
        found.inputs,
    )


def test_an_answer_is_the_same_whoever_else_is_in_the_run(series: dict[str, PriceSeries]) -> None:
    jobs = [job(name, policy) for name, policy in POLICIES.items()]
    together = answers(jobs, series)
    assert {name: found.outcome.status for name, found in together.items()} == dict.fromkeys(POLICIES, "optimal")
    for one in jobs:
        needed = {name: series[name] for name in one.candidates}
        assert bits(answers([one], needed)[one.portfolio_id]) == bits(together[one.portfolio_id]), one.portfolio_id
    backwards = answers(jobs[::-1], series)
    assert {name: bits(found) for name, found in backwards.items()} == {n: bits(f) for n, f in together.items()}


def test_compiled_answers_are_as_good_as_pyportfolioopt_s(series: dict[str, PriceSeries]) -> None:
    jobs = [job(name, policy) for name, policy in POLICIES.items()]
    found = answers(jobs, series, frozenset(POLICIES))
    compiled = {name for name, one in found.items() if str(one.outcome.solver).endswith("compiled")}
    assert compiled == {"least", "sample", "steep", "oas", "risk", "groups", "hrp", "bounded"}
    assert {name for name, one in found.items() if one.check is not None} == compiled
    for one in jobs:
        aligned = align_returns([series[name] for name in one.candidates], AS_OF, 365)
        estimates = estimate(aligned, one.policy.expected_returns, one.policy.covariance, one.risk_free_rate)
        limits = make_constraints(one.policy, estimates.labels, ATTRIBUTES)
        theirs = optimise(one.policy, estimates, limits, one.risk_free_rate)
        ours = found[one.portfolio_id]
        assert theirs.weights is not None
        assert ours.outcome.weights is not None
        np.testing.assert_allclose(ours.outcome.weights, theirs.weights, atol=2e-4)
        again = figures(ours.outcome.weights, estimates, one.risk_free_rate)
        assert ours.outcome.figures is not None
        assert ours.outcome.figures[:3] == pytest.approx(again[:3], rel=1e-9)
        low, ratio, high = ours.outcome.figures.sharpe_low, again.sharpe_ratio, ours.outcome.figures.sharpe_high
        assert low is not None
        assert ratio is not None
        assert high is not None
        assert low < ratio < high
        assert ours.sharpe_interval == "block_bootstrap"
        if ours.check is not None:
            assert ours.check.agrees
            assert ours.check.shortfall < 1e-6
        if one.portfolio_id in compiled - {"hrp"}:
            assert ours.outcome.kkt_residual is not None
            assert ours.outcome.kkt_residual < 1e-7
        assert ours.frontier is not None
        assert len(ours.frontier.numbers) == 20


def test_an_objective_without_an_optimum_falls_back_and_says_why(series: dict[str, PriceSeries]) -> None:
    policies = {
        "rich": AllocationPolicy("max_sharpe", covariance="sample"),
        "calm": AllocationPolicy("efficient_risk", covariance="sample", target=0.001),
    }
    least = answers([job("least", AllocationPolicy("min_volatility", covariance="sample"), NAMES)], series)["least"]
    found = answers([job(name, policy, NAMES, rate=9.0) for name, policy in policies.items()], series)
    for name, reason in (("rich", "no portfolio earns more"), ("calm", "no weights within the limits reach")):
        outcome = found[name].outcome
        assert outcome.status == "fallback"
        assert reason in str(outcome.reason)
        assert str(outcome.reason).endswith("; used min_volatility")
        assert outcome.weights is not None
        assert least.outcome.weights is not None
        np.testing.assert_array_equal(outcome.weights, least.outcome.weights)


def give(monkeypatch: pytest.MonkeyPatch, weights: np.ndarray) -> None:
    """Let the compiled solver give these weights for one portfolio, and call them proven."""
    monkeypatch.setattr(batch.Batch, "_solve", lambda *_: (weights, np.zeros(1), np.array(["optimal"])))


def test_a_bad_compiled_answer_is_found_and_replaced(
    series: dict[str, PriceSeries], monkeypatch: pytest.MonkeyPatch
) -> None:
    one = job("p", AllocationPolicy("min_volatility", covariance="sample"))
    good = answers([one], series)["p"].outcome
    give(monkeypatch, np.full(6, 1 / 6))
    bad = answers([one], series, frozenset({"p"}))["p"]
    assert bad.check is not None
    assert not bad.check.agrees
    assert bad.outcome.status == "fallback"
    assert "is worse than PyPortfolioOpt's" in str(bad.outcome.reason)
    assert bad.outcome.weights is not None
    assert good.weights is not None
    np.testing.assert_allclose(bad.outcome.weights, good.weights, atol=1e-4)


def test_weights_that_break_a_limit_are_not_taken_from_the_compiled_solver(
    series: dict[str, PriceSeries], monkeypatch: pytest.MonkeyPatch
) -> None:
    give(monkeypatch, np.full(6, 0.2))
    outcome = answers([job("p", POLICIES["least"])], series)["p"].outcome
    assert (outcome.status, outcome.solver) == ("optimal", "CLARABEL")


def test_singular_and_infeasible_portfolios_do_not_disturb_the_others(series: dict[str, PriceSeries]) -> None:
    twin = replace(series["crypto:A"], label="crypto:TWIN")
    more = {**series, "crypto:TWIN": twin}
    plain = AllocationPolicy("min_volatility", covariance="sample", max_weight=0.6)
    found = answers(
        [
            job("plain", plain, ["crypto:A", "crypto:B"]),
            job("twins", plain, ["crypto:A", "crypto:TWIN"]),
            job("tight", replace(plain, max_weight=0.2), ["crypto:A", "crypto:B"]),
            job("nothing", plain, ["crypto:NEVER"]),
        ],
        more,
    )
    assert {name: one.outcome.status for name, one in found.items()} == {
        "plain": "optimal", "twins": "optimal", "tight": "failed", "nothing": "failed",
    }  # fmt: skip
    assert found["twins"].inputs is not None
    assert found["twins"].inputs.condition_number == float("inf")
    assert "raise max_weight" in str(found["tight"].outcome.reason)
    assert bits(found["plain"]) == bits(answers([job("plain", plain, ["crypto:A", "crypto:B"])], series)["plain"])


def test_the_sample_is_of_compiled_portfolios_and_does_not_hang_on_order() -> None:
    jobs = [(f"p{number}", POLICIES["least"]) for number in range(30)] + [("t", POLICIES["tail"])]
    chosen = sample_of(jobs)
    assert len(chosen) == 8
    assert chosen == sample_of(jobs[::-1])
    assert sample_of([("t", POLICIES["tail"])]) == frozenset()
    assert not is_compiled(replace(POLICIES["steep"], expected_returns="capm"))
