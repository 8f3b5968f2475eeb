"""Frontiers, each point solved from the one before it, beside the same points solved from nothing."""

from typing import Any

import numpy as np
import pytest

from assets.allocation.population import quadratic_kernel
from assets.allocation.population.frontier import NEARLY, Frontiers, trace_frontiers
from assets.allocation.population.optimum import GroupLimits, best_returns, solve_population
from assets.performance import compiled

POINTS = 20


def made(size: int, seed: int, days: int = 250) -> tuple[np.ndarray, np.ndarray]:
    """A covariance and expected returns a year of `size` assets with common factors; singular with fewer days."""
    rng = np.random.default_rng(seed)
    returns = rng.normal(0.0, 0.01, (days, 3)) @ rng.normal(0.5, 0.4, (3, size)) + rng.normal(0.0, 0.012, (days, size))
    deviations = returns - returns.mean(axis=0)
    covariance = deviations.T @ deviations * 252 / days
    return (covariance + covariance.T) / 2, rng.normal(0.08, 0.06, size)


def trace(covariance: np.ndarray, means: np.ndarray, **options: Any) -> Frontiers:
    size = len(means)
    whole = np.array([0, size]), np.arange(size)
    highest = options.pop("highest", None)
    if highest is None:
        highest = best_returns(means, *whole, options.get("lower", 0.0), options.get("upper", 1.0))
    return trace_frontiers(covariance, means, *whole, POINTS, highest=highest, **options)


TWINS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 3]
GROUPS = GroupLimits(np.array([[1.0, 0.0] * 6, [0.0, 0.0, 0.0, 1.0] * 3]), np.array([0.2, 0.3]), np.array([0.6, 1.0]))
CASES: dict[str, tuple[np.ndarray, np.ndarray, dict[str, Any]]] = {
    "free": (*made(12, 1), {}),
    "capped": (*made(40, 2), {"upper": 0.1}),
    "all bounds near": (*made(40, 3), {"lower": 0.02, "upper": 0.03}),
    "groups": (*made(12, 4), {"upper": 0.4, "groups": GROUPS, "highest": np.array([0.12])}),
    "shrunk": (*made(30, 5, days=20), {"kept": 0.7, "added": 0.01}),
    "duplicates": (made(10, 6)[0][np.ix_(TWINS, TWINS)], made(10, 6)[1][TWINS], {}),
    "fewer days than assets": (*made(60, 7, days=20), {"upper": 0.2}),
    "a riskless one": (np.diag([0.0, 0.01, 0.04, 0.09]), np.array([0.01, 0.03, 0.05, 0.08]), {}),
}


@pytest.mark.parametrize("case", CASES)
def test_points_are_those_that_are_solved_from_nothing(case: str) -> None:
    covariance, means, options = CASES[case]
    found = trace(covariance, means, **options)
    assert found.counts.tolist() == [POINTS]
    size = len(means)
    alone = {name: value for name, value in options.items() if name != "highest"}
    highest = options.get("highest", best_returns(means, np.array([0, size]), np.arange(size),
                                                  options.get("lower", 0.0), options.get("upper", 1.0)))  # fmt: skip
    lowest = found.expected_return[0, 0]
    targets = lowest + (highest[0] - lowest) * np.linspace(0.0, NEARLY, POINTS)
    # distinct answers of a singular covariance may share their volatility
    is_singular = np.linalg.eigvalsh(covariance)[0] < 1e-9 and "added" not in options
    for point in range(POINTS):
        cold = solve_population(
            covariance, means, np.array([0, size]), np.arange(size), "efficient_return" if point else "min_volatility",
            targets=targets[point], **alone,
        )  # fmt: skip
        assert cold.status[0] == "optimal"
        assert found.volatility[0, point] == pytest.approx(cold.value[0], abs=1e-9)
        assert found.expected_return[0, point] == pytest.approx(means @ cold.weights, abs=1e-9)
        if not is_singular:
            assert found.weights[:, point] == pytest.approx(cold.weights, abs=1e-9)
        if point == 0:
            assert found.weights[:, 0].tobytes() == cold.weights.tobytes()
            assert (found.kkt_residual[0], found.status[0]) == (cold.kkt_residual[0], cold.status[0])


def test_a_frontier_does_not_depend_on_its_neighbours(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bits alone and among others of the same members but other shrinkage, plain and compiled."""
    covariance, means = made(15, 8)
    members = np.concatenate([np.arange(8), np.arange(8), np.arange(5, 15), np.arange(5, 15), np.arange(3)])
    offsets = np.array([0, 8, 16, 26, 36, 36, 39])
    kept, added = np.array([1.0, 0.6, 0.6, 0.6, 0.6, 1.0]), np.array([0.0, 0.0, 0.01, 0.02, 0.0, 0.0])
    highest = np.append(best_returns(means, offsets[:5], members[:36], 0.0, 0.5), [np.nan, np.nan])
    options = {"upper": 0.5, "highest": highest}
    monkeypatch.setattr(compiled, "WORTH_COMPILING", 10**12)
    plain = trace_frontiers(covariance, means, offsets, members, POINTS, kept=kept, added=added, **options)
    monkeypatch.setattr(compiled, "WORTH_COMPILING", 0)
    fast = trace_frontiers(covariance, means, offsets, members, POINTS, kept=kept, added=added, **options)
    for name in ("weights", "expected_return", "volatility", "kkt_residual", "counts"):
        assert getattr(plain, name).tobytes() == getattr(fast, name).tobytes()
    # nobody in it; and a highest return that is not known
    assert fast.counts.tolist() == [POINTS] * 4 + [0, 1]
    assert fast.status.tolist() == ["optimal"] * 4 + ["empty", "optimal"]
    for place in range(6):
        own = slice(offsets[place], offsets[place + 1])
        alone = trace_frontiers(
            covariance, means, np.array([0, len(members[own])]), members[own], POINTS, kept=kept[place],
            added=added[place], upper=0.5, highest=highest[place : place + 1],
        )  # fmt: skip
        assert alone.weights.tobytes() == fast.weights[own].tobytes()
        assert alone.volatility.tobytes() == fast.volatility[place].tobytes()


def test_a_point_that_cannot_be_reached_from_the_last_is_solved_from_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    covariance, means, options = CASES["free"]
    monkeypatch.setattr(compiled, "WORTH_COMPILING", 10**12)
    expected = trace(covariance, means, **options)
    minimise, moved = quadratic_kernel.minimise, []

    def lost(*arguments: Any) -> int:
        moved.append(arguments[9])
        return quadratic_kernel.UNSOLVED if arguments[9] else minimise(*arguments)

    monkeypatch.setattr(quadratic_kernel, "minimise", lost)
    found = trace(covariance, means, **options)
    assert np.count_nonzero(moved) == POINTS - 1
    assert found.weights == pytest.approx(expected.weights, abs=1e-9)


def test_limits_that_nothing_keeps_leave_no_point() -> None:
    covariance, means = made(4, 9)
    found = trace(covariance, means, upper=0.2)
    assert (found.counts.tolist(), found.status.tolist()) == ([0], ["infeasible"])
    assert np.isnan(found.weights).all()
    # the last points ask for more than there is
    found = trace(covariance, means, highest=np.array([2 * means.max()]))
    assert found.counts.tolist() == [POINTS]
    reached = np.isfinite(found.expected_return[0])
    assert 1 < reached.sum() < POINTS
    assert not reached[reached.sum() :].any()
