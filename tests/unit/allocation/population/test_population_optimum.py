"""Optima of populations against PyPortfolioOpt, closed forms and enumeration, and what must be refused."""

import itertools
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pypfopt import EfficientFrontier

from assets.allocation.estimates import Estimates
from assets.allocation.model import Constraints, FloatArray, GroupBound
from assets.allocation.population.optimum import GroupLimits, Optima, solve_population
from assets.allocation.verify import kkt_residual, problems
from assets.performance import compiled

RISK_FREE = 0.02
PRECISE = {"solver": "CLARABEL", "solver_options": {"tol_gap_abs": 1e-12, "tol_gap_rel": 1e-12, "tol_feas": 1e-12}}
OBJECTIVES = ("min_volatility", "max_sharpe", "efficient_return", "efficient_risk")


def one(
    covariance: FloatArray, returns: FloatArray | None = None, objective: str = "min_volatility", **limits
) -> Optima:  # type: ignore[no-untyped-def]
    """A portfolio of the whole universe."""
    size = len(covariance)
    returns = np.zeros(size) if returns is None else returns
    return solve_population(covariance, returns, np.array([0, size]), np.arange(size), objective, **limits)


def made(size: int, seed: int) -> tuple[FloatArray, FloatArray]:
    """Covariance and returns of a factor model."""
    rng = np.random.default_rng(seed)
    loadings = rng.normal(0.15, 0.1, (size, 3))
    return loadings @ loadings.T + np.diag(rng.uniform(0.01, 0.1, size)), rng.normal(0.08, 0.06, size)


def random_members(universe: int, count: int, seed: int = 4) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(3, 13, count)
    members = np.concatenate([rng.choice(universe, size, replace=False) for size in sizes])
    return np.concatenate([[0], sizes.cumsum()]), members


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_values_are_those_of_pyportfolioopt(published: Estimates, objective: str) -> None:
    """40 random sub-universes of the 20 real stocks, capped at 40 %, the first seven stocks at 50 % together."""
    covariance, returns = published.covariance, published.expected_returns
    offsets, members = random_members(len(returns), 40)
    targets = np.full(40, {"efficient_return": 0.14, "efficient_risk": 0.25}.get(objective, np.nan))
    row = (np.arange(len(returns)) < 7).astype(float)
    groups = GroupLimits(row[None, :], np.array([0.05]), np.array([0.5]))
    found = solve_population(
        covariance, returns, offsets, members, objective,
        upper=0.4, groups=groups, risk_free_rate=RISK_FREE, targets=targets,
    )  # fmt: skip
    solved = 0
    for number, (begin, end) in enumerate(itertools.pairwise(offsets)):
        own = members[begin:end]
        part, mean = covariance[np.ix_(own, own)], returns[own]
        model = EfficientFrontier(mean, part, weight_bounds=[(0.0, 0.4)] * len(own), **PRECISE)
        model.add_constraint(lambda w, own=own: row[own] @ w <= 0.5)
        model.add_constraint(lambda w, own=own: row[own] @ w >= 0.05)
        arguments = {
            "max_sharpe": {"risk_free_rate": RISK_FREE},
            "efficient_return": {"target_return": 0.14},
            "efficient_risk": {"target_volatility": 0.25},
        }
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                getattr(model, objective)(**arguments.get(objective, {}))
        except Exception:  # it raises ValueError, OptimizationError and cvxpy's
            assert found.status[number] in ("infeasible", "target_out_of_reach")
            assert np.isnan(found.weights[begin:end]).all()
            continue
        solved += 1
        weights = np.asarray(model.weights)
        volatility, mean_return = np.sqrt(weights @ part @ weights), weights @ mean
        theirs = {"max_sharpe": (mean_return - RISK_FREE) / volatility, "efficient_risk": mean_return}
        assert found.status[number] == "optimal"
        assert found.value[number] == pytest.approx(theirs.get(objective, volatility), abs=1e-6)
        # not merely as good: ours keeps the limits to the last digits
        ours = found.weights[begin:end]
        limits = Constraints(
            tuple(map(str, own)),
            np.zeros(len(own)),
            np.full(len(own), 0.4),
            (GroupBound("g", row[own] > 0, 0.05, 0.5),),
        )
        assert problems(ours, limits) == []
        assert ours.min() >= 0.0
        assert ours.max() <= 0.4
        if objective == "min_volatility":
            assert found.kkt_residual[number] <= 1e-9
            assert kkt_residual(part @ ours, ours, limits) <= 1e-9
    assert solved >= 20


def test_without_limits_the_closed_form() -> None:
    covariance, returns = made(12, 1)
    inverse = np.linalg.inv(covariance)
    least = inverse.sum(axis=1) / inverse.sum()
    tangent = inverse @ (returns - RISK_FREE)
    loose = {"lower": -100.0, "upper": 100.0}
    assert one(covariance, **loose).weights == pytest.approx(least, abs=1e-10)
    found = one(covariance, returns, "max_sharpe", risk_free_rate=RISK_FREE, **loose)
    assert found.weights == pytest.approx(tangent / tangent.sum(), abs=1e-9)
    assert found.value[0] == pytest.approx(np.sqrt((returns - RISK_FREE) @ tangent), abs=1e-10)


def test_two_assets_by_hand() -> None:
    """Volatilities 20 % and 10 %, correlation 0.5: w = (s2^2 - c) / (s1^2 + s2^2 - 2c) = 0; with -0.5, 2/7."""
    assert one(np.array([[0.04, 0.01], [0.01, 0.01]])).weights == pytest.approx([0.0, 1.0], abs=1e-12)
    assert one(np.array([[0.04, -0.01], [-0.01, 0.01]])).weights == pytest.approx([2 / 7, 5 / 7], abs=1e-12)


@pytest.mark.parametrize("seed", range(12))
def test_enumeration_of_all_active_sets_finds_nothing_better(seed: int) -> None:
    """Each weight at its lower bound, its upper bound or free: 3^n systems of equations, n = 6."""
    size, lower, upper = 6, 0.05, 0.3
    covariance, _ = made(size, seed + 50)
    best = np.inf
    for places in itertools.product((0, 1, 2), repeat=size):
        place = np.array(places)
        weights = np.where(place == 0, lower, upper).astype(float)
        free = np.flatnonzero(place == 2)
        if len(free) == 0:
            continue
        fixed = np.flatnonzero(place != 2)
        system = np.zeros((len(free) + 1, len(free) + 1))
        system[:-1, :-1] = covariance[np.ix_(free, free)]
        system[:-1, -1] = system[-1, :-1] = 1.0
        right = np.append(-covariance[np.ix_(free, fixed)] @ weights[fixed], 1.0 - weights[fixed].sum())
        weights[free] = np.linalg.solve(system, right)[:-1]
        if (weights >= lower - 1e-12).all() and (weights <= upper + 1e-12).all():
            best = min(best, float(np.sqrt(weights @ covariance @ weights)))
    assert one(covariance, lower=lower, upper=upper).value[0] == pytest.approx(best, abs=1e-12)


def test_a_risk_target_beyond_every_portfolio_takes_the_best_return() -> None:
    covariance, returns = made(8, 3)
    found = one(covariance, returns, "efficient_risk", targets=5.0, upper=0.4)
    best = np.sort(returns)[::-1]
    assert found.status[0] == "optimal"
    assert found.value[0] == pytest.approx(0.4 * best[0] + 0.4 * best[1] + 0.2 * best[2], abs=1e-9)


def test_a_risk_target_beyond_what_a_group_allows_is_no_silent_answer() -> None:
    """The best return under a group's limit is a linear programme, which this solver does not prove."""
    covariance, returns = made(8, 3)
    row = GroupLimits((returns > np.median(returns)).astype(float)[None, :], np.zeros(1), np.array([0.5]))
    found = one(covariance, returns, "efficient_risk", targets=5.0, upper=0.4, groups=row)
    assert found.status[0] in ("unproven", "unsolved")
    assert np.isnan(found.weights).all()


def test_edges_have_a_typed_outcome() -> None:
    covariance, returns = made(4, 2)
    single = one(np.array([[0.04]]))
    assert (single.weights[0], single.value[0], single.status[0]) == (1.0, pytest.approx(0.2), "optimal")
    hole = covariance.copy()
    hole[0, 1] = hole[1, 0] = np.nan
    unknown = returns.copy()
    unknown[2] = np.nan
    row = GroupLimits(np.array([[1.0, 1.0, 0.0, 0.0]]), np.array([0.6]), np.array([1.0]))
    refused = {
        "not_finite": one(hole),
        "infeasible": one(covariance, upper=0.2),
        "no_excess_return": one(covariance, -np.abs(returns), "max_sharpe"),
        "target_out_of_reach": one(covariance, returns, "efficient_return", targets=9.0),
        "not_positive_semidefinite": one(np.array([[0.04, 0.05], [0.05, 0.04]])),
        "zero_volatility": one(np.diag([0.0, 0.04]), np.array([0.03, 0.1]), "max_sharpe"),
        "empty": solve_population(covariance, returns, np.array([0, 0]), np.array([], dtype=int), "min_volatility"),
    }
    assert one(covariance, unknown, "max_sharpe").status[0] == "not_finite"
    assert one(covariance, unknown).status[0] == "optimal"  # least volatility does not read it
    assert one(covariance, returns, "efficient_risk", targets=0.01).status[0] == "target_out_of_reach"
    assert one(covariance, returns, "efficient_risk").status[0] == "not_finite"  # no target
    assert one(covariance, lower=0.5, upper=0.4).status[0] == "infeasible"
    assert one(covariance, upper=0.25, groups=row).status[0] == "infeasible"
    for status, found in refused.items():
        assert found.status.tolist() == [status]
        assert np.isnan(found.weights).all()
        assert np.isnan(found.value[0])


def test_groups_can_leave_no_excess_return() -> None:
    """Between the bounds something earns more than the rate, within the group's limit nothing does."""
    row = GroupLimits(np.array([[1.0, 0.0]]), np.array([0.0]), np.array([0.1]))
    found = one(np.diag([0.04, 0.04]), np.array([0.05, -0.05]), "max_sharpe", groups=row)
    assert found.status[0] == "no_excess_return"


def test_singular_covariances_are_solved() -> None:
    """Duplicates, fewer observations than assets, and a riskless asset: the value is that of the distinct problem."""
    covariance, returns = made(5, 9)
    own = [0, 1, 2, 3, 4, 4, 0]
    twice = covariance[np.ix_(own, own)]
    assert one(twice).value[0] == pytest.approx(one(covariance).value[0], abs=1e-9)
    sharpe = one(twice, returns[own], "max_sharpe")
    assert sharpe.status[0] == "optimal"
    assert sharpe.value[0] == pytest.approx(one(covariance, returns, "max_sharpe").value[0], abs=1e-9)
    observations = np.random.default_rng(3).normal(0.0, 0.1, (6, 9))
    few = observations.T @ observations / 6
    found = one(few)
    assert found.status[0] == "optimal"
    model = EfficientFrontier(None, few, **PRECISE)
    weights = np.array(list(model.min_volatility().values()))
    assert found.value[0] == pytest.approx(np.sqrt(max(weights @ few @ weights, 0.0)), abs=1e-6)
    balanced = np.random.default_rng(4).normal(0.0, 1.0, (3, 21))
    found = one(balanced.T @ balanced / 3)  # 21 assets in 3 dimensions: some mixture has no risk at all
    assert found.status[0] == "optimal"
    assert found.value[0] <= 1e-6
    assert one(np.diag([0.0, 0.04])).weights == pytest.approx([1.0, 0.0], abs=1e-8)


def test_an_answer_does_not_depend_on_its_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bits alone, among others, in another order, plain and compiled."""
    covariance, returns = made(30, 5)
    offsets, members = random_members(30, 24)
    for objective in OBJECTIVES:
        options = {"upper": 0.4, "risk_free_rate": RISK_FREE, "targets": 0.2 if objective == "efficient_risk" else 0.1}
        monkeypatch.setattr(compiled, "WORTH_COMPILING", 10**12)
        plain = solve_population(covariance, returns, offsets, members, objective, **options)
        monkeypatch.setattr(compiled, "WORTH_COMPILING", 0)
        fast = solve_population(covariance, returns, offsets, members, objective, **options)
        assert plain.weights.tobytes() == fast.weights.tobytes()
        assert plain.value.tobytes() == fast.value.tobytes()
        assert (plain.status == "optimal").sum() >= 12
        for number in range(23, -1, -1):
            begin, end = offsets[number], offsets[number + 1]
            alone = solve_population(
                covariance, returns, np.array([0, end - begin]), members[begin:end], objective, **options
            )
            assert alone.weights.tobytes() == fast.weights[begin:end].tobytes()


@settings(max_examples=60, deadline=None)
@given(
    size=st.integers(2, 14),
    seed=st.integers(0, 10**6),
    scale=st.floats(1e-8, 1e8),
    objective=st.sampled_from(OBJECTIVES[:2]),
)
def test_order_and_unit_do_not_matter_and_more_choice_never_hurts(
    size: int, seed: int, scale: float, objective: str
) -> None:
    covariance, returns = made(size, seed)
    upper = max(0.3, 1.2 / size)
    found = one(covariance, returns, objective, upper=upper)
    if found.status[0] != "optimal":
        assert (objective, found.status[0]) == ("max_sharpe", "no_excess_return")
        return
    order = np.random.default_rng(seed).permutation(size)
    turned = one(covariance[np.ix_(order, order)], returns[order], objective, upper=upper)
    assert turned.weights == pytest.approx(found.weights[order], abs=1e-9)
    scaled = one(covariance * scale**2, returns * scale, objective, upper=upper)
    assert scaled.weights == pytest.approx(found.weights, abs=1e-9)
    fewer = one(covariance[:-1, :-1], returns[:-1], objective, upper=max(upper, 1.0 / (size - 1)))
    if upper * (size - 1) >= 1.0 and fewer.status[0] == "optimal":
        sign = 1.0 if objective == "min_volatility" else -1.0
        assert sign * found.value[0] <= sign * fewer.value[0] + 1e-12


def test_a_dominated_asset_gets_nothing() -> None:
    """The same risk with noise added and a lower return: no objective wants it."""
    covariance, returns = made(6, 8)
    wider = np.zeros((7, 7))
    wider[:6, :6] = covariance
    wider[6, :6] = wider[:6, 6] = covariance[0]
    wider[6, 6] = covariance[0, 0] + 0.05
    lower = np.append(returns, returns[0] - 0.02)
    for objective in ("min_volatility", "max_sharpe"):
        found, before = one(wider, lower, objective), one(covariance, returns, objective)
        assert found.weights[6] == 0.0
        assert found.weights[:6] == pytest.approx(before.weights, abs=1e-9)


def test_two_hundred_assets_are_proven() -> None:
    """Where PyPortfolioOpt's default solver was seen to fail."""
    covariance, returns = made(200, 6)
    for objective in OBJECTIVES:
        found = one(covariance, returns, objective, upper=0.05, risk_free_rate=RISK_FREE, targets=0.15)
        assert found.status[0] == "optimal"
        assert found.kkt_residual[0] <= 1e-9


def test_arrays_that_do_not_fit_are_refused() -> None:
    covariance, returns = made(3, 1)
    with pytest.raises(ValueError, match="members 0 to 3 of a universe of 3"):
        solve_population(covariance, returns, np.array([0, 4]), np.arange(4), "min_volatility")
    with pytest.raises(ValueError, match="not symmetric"):
        one(covariance + np.triu(np.ones((3, 3)), 1))
    with pytest.raises(ValueError, match="expected one of min_volatility"):
        one(covariance, returns, "min_variance")
