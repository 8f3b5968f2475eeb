"""Intervals of Sharpe ratios by blocks of days, against a resampling day by day, and what seeds promise."""

import numpy as np
import pytest

from assets.allocation.population import bootstrap
from assets.allocation.population.bootstrap import block_length, sharpe_deviations

DAYS, FREQUENCY = 250, 252
OFFSETS, MEMBERS = np.array([0, 2, 5]), np.array([0, 1, 1, 2, 3])
WEIGHTS = np.array([0.5, 0.5, 0.2, 0.3, 0.5])
RATES = np.array([0.0, 0.03])


@pytest.fixture(scope="module")
def returns() -> np.ndarray:
    return np.random.default_rng(2).normal(0.0006, 0.01, (4, DAYS))


def ratio(series: np.ndarray) -> float:
    return float(series.mean() / series.std(ddof=1) * np.sqrt(FREQUENCY))


def test_the_interval_is_that_of_the_days_drawn_one_by_one(returns: np.ndarray) -> None:
    found = sharpe_deviations(returns, OFFSETS, MEMBERS, WEIGHTS, RATES, FREQUENCY)
    length = block_length(DAYS)
    for place in range(2):
        own = slice(OFFSETS[place], OFFSETS[place + 1])
        series = WEIGHTS[own] @ returns[MEMBERS[own]] - RATES[place] / FREQUENCY
        starts = bootstrap._starts(DAYS, length)
        days = ((starts[:, :, None] + np.arange(length)) % DAYS).reshape(len(starts), -1)[:, :DAYS]
        resampled = np.array([ratio(series[chosen]) for chosen in days])
        np.testing.assert_allclose(
            found[place], np.quantile(resampled - ratio(series), [0.025, 0.975]), rtol=1e-9, atol=1e-9
        )


def test_an_interval_does_not_hang_on_the_neighbours(returns: np.ndarray) -> None:
    both = sharpe_deviations(returns, OFFSETS, MEMBERS, WEIGHTS, RATES, FREQUENCY)
    one = sharpe_deviations(returns[1:], np.array([0, 3]), MEMBERS[2:] - 1, WEIGHTS[2:], RATES[1:], FREQUENCY)
    np.testing.assert_array_equal(both[1:], one)


def test_independent_returns_have_about_lo_s_interval() -> None:
    days = 1000
    series = np.random.default_rng(4).normal(0.0005, 0.01, (1, days))
    ((below, above),) = sharpe_deviations(series, np.array([0, 1]), np.array([0]), np.ones(1), np.zeros(1), FREQUENCY)
    half = 1.96 * np.sqrt(FREQUENCY / days)
    assert -below == pytest.approx(half, rel=0.25)
    assert above == pytest.approx(half, rel=0.25)


def test_too_few_or_unchanging_days_have_no_interval() -> None:
    short = np.random.default_rng(1).normal(0, 0.01, (1, bootstrap.MIN_DAYS - 1))
    arguments = (np.array([0, 1]), np.array([0]), np.ones(1), np.zeros(1), FREQUENCY)
    assert np.isnan(sharpe_deviations(short, *arguments)).all()
    assert np.isnan(sharpe_deviations(np.full((1, 100), 0.001), *arguments)).all()


def test_blocks_are_as_long_as_the_cube_root() -> None:
    assert [block_length(days) for days in (60, 64, 65, 252, 1000)] == [4, 4, 5, 7, 10]
