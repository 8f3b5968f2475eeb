"""The number of holdings and their least weight: the search against the enumeration of every choice."""

from itertools import combinations

import numpy as np
import pytest

from assets.allocation import selection
from assets.allocation.annealing import anneal_selection, qubo
from assets.allocation.estimates import Estimates, make_estimates
from assets.allocation.model import AllocationPolicy, Constraints, FloatArray, GroupLimit, make_constraints
from assets.allocation.objectives import solve
from assets.allocation.optimiser import optimise
from assets.allocation.relaxation import make_relaxation, minimised
from assets.allocation.selection import EmptyError, Relaxation, Relaxed, select

RATE = 0.02


def market(seed: int, size: int) -> Estimates:
    """A market of one common factor and own noise, returns of 8 % a year in the mean."""
    random = np.random.default_rng(seed)
    loadings = random.uniform(0.05, 0.3, size)
    matrix = np.outer(loadings, loadings) + np.diag(random.uniform(0.01, 0.09, size))
    means = random.normal(0.08, 0.06, size)
    returns = random.multivariate_normal(means / 252, matrix / 252, 120)
    return make_estimates(tuple(f"asset:{i:02d}" for i in range(size)), means, matrix, returns, 252)


def enumerated(policy: AllocationPolicy, estimates: Estimates, constraints: Constraints) -> float:
    """The least objective over every set of holdings, each solved by PyPortfolioOpt."""
    size = len(constraints.labels)
    most = constraints.max_assets or size
    best = np.inf
    for count in range(constraints.min_assets, most + 1):
        for held in combinations(range(size), count):
            lower, upper = np.zeros(size), np.zeros(size)
            lower[list(held)], upper[list(held)] = constraints.holding, policy.max_weight
            limits = Constraints(constraints.labels, lower, upper, constraints.groups)
            if lower.sum() > 1 or upper.sum() < 1:
                continue
            try:
                weights = solve(policy, estimates, limits, RATE, "CLARABEL").weights
            except Exception:
                continue
            best = min(best, minimised(policy, estimates, RATE, None, weights))
    return best


@pytest.mark.parametrize(
    ("objective", "settings"),
    [
        ("min_volatility", {"min_assets": 5, "min_holding": 0.08}),
        ("max_sharpe", {"min_assets": 5, "min_holding": 0.08}),
        ("max_sharpe", {"max_assets": 2}),
        ("efficient_return", {"target": 0.09, "min_assets": 3, "max_assets": 3, "min_holding": 0.2}),
        ("efficient_risk", {"target": 0.2, "min_assets": 4, "min_holding": 0.15}),
        ("cvar", {"min_assets": 4, "max_assets": 4, "min_holding": 0.1}),
    ],
)
def test_the_search_is_the_enumeration(objective: str, settings: dict[str, object]) -> None:
    # the minimum of five strategies with the cap of 50 %, and its kin, over 7 candidates: at most 99 choices each
    policy = AllocationPolicy(objective, max_weight=0.5, **settings)  # type: ignore[arg-type]
    estimates = market(3, 7)
    limits = make_constraints(policy, estimates.labels, {})
    outcome = optimise(policy, estimates, limits, RATE)
    assert outcome.status == "optimal", outcome.reason
    assert outcome.weights is not None
    assert outcome.selection == "exact"
    assert outcome.selection_gap == 0
    held = outcome.weights[outcome.weights > 1e-9]
    assert held.min() >= limits.holding - 1e-9
    assert policy.min_assets <= len(held) <= (policy.max_assets or 7)
    assert outcome.weights.max() <= 0.5 + 1e-9
    found = minimised(policy, estimates, RATE, None, outcome.weights)
    assert found == pytest.approx(enumerated(policy, estimates, limits), rel=1e-6)


def test_without_min_holding_the_others_stay_free() -> None:
    # 1 % five times, and nothing said of what else is held: the least over the sets of five that carry the promise
    policy = AllocationPolicy("max_sharpe", max_weight=0.5, min_assets=5)
    estimates = market(3, 7)
    limits = make_constraints(policy, estimates.labels, {})
    outcome = optimise(policy, estimates, limits, RATE)
    assert outcome.weights is not None
    assert (outcome.weights >= 0.01 - 1e-9).sum() >= 5
    best = np.inf
    for held in combinations(range(7), 5):
        lower = np.zeros(7)
        lower[list(held)] = 0.01
        weights = solve(policy, estimates, Constraints(limits.labels, lower, limits.upper), RATE, "CLARABEL").weights
        best = min(best, minimised(policy, estimates, RATE, None, weights))
    assert minimised(policy, estimates, RATE, None, outcome.weights) == pytest.approx(best, rel=1e-6)


def test_sixteen_candidates_are_searched_to_the_end_and_groups_are_kept() -> None:
    policy = AllocationPolicy(
        "min_volatility", max_weight=0.5, min_assets=5, max_assets=6, min_holding=0.1,
        group_limits=(GroupLimit("category", "even", 0.0, 0.3),),
    )  # fmt: skip
    estimates = market(5, 16)
    attributes = {label: {"category": "even"} for label in estimates.labels[::2]}
    outcome = optimise(policy, estimates, make_constraints(policy, estimates.labels, attributes), RATE)
    assert outcome.weights is not None
    assert (outcome.selection, outcome.selection_gap) == ("exact", 0)
    assert outcome.weights[::2].sum() <= 0.3 + 1e-6
    assert 5 <= (outcome.weights > 1e-9).sum() <= 6


def test_a_search_that_must_stop_says_how_far_the_optimum_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "NODES", 8)
    policy = AllocationPolicy("min_volatility", max_weight=0.4, max_assets=6)
    estimates = market(2, 30)
    limits = make_constraints(policy, estimates.labels, {})
    stopped = optimise(policy, estimates, limits, RATE)
    monkeypatch.setattr(selection, "NODES", 10_000)
    ended = optimise(policy, estimates, limits, RATE)
    assert stopped.weights is not None
    assert ended.weights is not None
    assert stopped.selection == "bounded"
    assert ended.selection == "exact"
    worse, best = (minimised(policy, estimates, RATE, None, found.weights) for found in (stopped, ended))
    assert stopped.selection_gap is not None
    # the promise: the optimum lies within the gap
    assert stopped.selection_gap > 0
    assert worse - stopped.selection_gap * abs(worse) <= best + 1e-9
    assert any("searched over 8 nodes" in note for note in stopped.notes)


def test_no_choice_that_keeps_the_limits_fails_with_the_reason() -> None:
    policy = AllocationPolicy(
        "min_volatility", min_assets=3, min_holding=0.3, group_limits=(GroupLimit("category", "x", 0.0, 0.2),)
    )
    estimates = market(1, 3)
    limits = make_constraints(policy, estimates.labels, {"asset:00": {"category": "x"}})
    outcome = optimise(policy, estimates, limits, RATE)
    assert outcome.status == "failed"
    assert "no weights keep all limits with at least 3 holdings of at least 0.3" in str(outcome.reason)


def test_an_unsolved_node_is_part_of_the_gap() -> None:
    policy = AllocationPolicy("min_volatility", max_assets=2)
    estimates = market(2, 4)
    limits = make_constraints(policy, estimates.labels, {})
    honest = make_relaxation(policy, estimates, RATE, None)
    calls: list[int] = []

    def failing(at: Constraints) -> Relaxed:
        calls.append(1)
        if len(calls) == 3:  # the first child
            from assets.allocation.model import UnsolvedError

            raise UnsolvedError("no convergence")
        return honest.solve(at)

    assert select(honest, limits).gap == 0
    assert select(Relaxation(failing, True), limits).gap > 0
    with pytest.raises(EmptyError):
        honest.solve(Constraints(limits.labels, np.zeros(4), np.full(4, 0.2)))


def energy(mask: FloatArray, quadratic: FloatArray, linear: FloatArray) -> float:
    return float(mask @ quadratic @ mask + linear @ mask)


@pytest.mark.parametrize("count", [1, 3, 6])
def test_annealing_finds_the_least_energy_of_all(count: int) -> None:
    estimates = market(4, 12)
    excess = estimates.expected_returns - RATE
    quadratic, linear = qubo(excess, estimates.covariance, count)
    best = np.inf
    for chosen in range(2**12):
        bits = np.array([chosen >> i & 1 for i in range(12)], dtype=np.float64)
        best = min(best, energy(bits, quadratic, linear))
    mask = anneal_selection(estimates.labels, excess, estimates.covariance, count)
    assert mask.sum() == count
    # over all 4096 sets, whatever their size: the penalty leaves no other size better
    assert energy(mask.astype(float), quadratic, linear) == pytest.approx(best, rel=1e-9)


def test_annealed_selection_is_used_only_where_it_is_no_worse() -> None:
    estimates = market(6, 14)
    gaps = []
    for objective in ("max_sharpe", "min_volatility", "max_diversification"):
        exact, annealed = (
            optimise(policy, estimates, make_constraints(policy, estimates.labels, {}), RATE)
            for policy in (
                AllocationPolicy(objective, max_assets=2, selection=selection_key)
                for selection_key in ("exact", "annealing")
            )
        )
        assert exact.weights is not None
        assert annealed.weights is not None
        np.testing.assert_allclose(annealed.weights, exact.weights, atol=1e-6)
        assert annealed.selection_gap is not None
        assert annealed.selection == ("annealing" if annealed.selection_gap <= 1e-9 else "exact")
        assert bool(annealed.notes) == (annealed.selection == "exact")
        gaps.append(annealed.selection_gap)
    assert max(gaps) < 0.1
