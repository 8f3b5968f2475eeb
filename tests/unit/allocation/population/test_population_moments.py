"""Estimates of parts of a universe against PyPortfolioOpt and scikit-learn, which see each part alone."""

import numpy as np
import pandas as pd
import pytest
from pypfopt import expected_returns as oracle_returns
from pypfopt import risk_models

from assets.allocation.population import moments

DAYS, UNIVERSE, FREQUENCY = 180, 12, 252
PARTS = [[3], [0, 1], [11, 2, 5], [4, 7, 8, 9, 1], list(range(UNIVERSE))]


@pytest.fixture(scope="module")
def returns() -> np.ndarray:
    rng = np.random.default_rng(5)
    common = rng.normal(0.0, 0.01, (DAYS, 2)) @ rng.normal(0.4, 0.5, (2, UNIVERSE))
    return common + rng.normal(0.0004, 0.012, (DAYS, UNIVERSE))


def covariance_of(frame: pd.DataFrame, method: str) -> np.ndarray:
    options = {"returns_data": True, "frequency": FREQUENCY}
    if method == "sample":
        return risk_models.sample_cov(frame, **options).to_numpy()
    if method == "exponential":
        return risk_models.exp_cov(frame, **options).to_numpy()
    shrinkage = risk_models.CovarianceShrinkage(frame, **options)
    return (shrinkage.ledoit_wolf() if method == "ledoit_wolf" else shrinkage.oracle_approximating()).to_numpy()


@pytest.mark.parametrize("method", moments.COVARIANCE_METHODS)
def test_the_covariance_of_every_part_is_that_of_the_part_alone(returns: np.ndarray, method: str) -> None:
    found = moments.covariances(returns.T, method)
    offsets = np.concatenate([[0], np.cumsum([len(part) for part in PARTS])])
    kept, added = moments.shrink_population(found, offsets, np.concatenate(PARTS))
    for place, part in enumerate(PARTS):
        ours = (kept[place] * found.matrix[np.ix_(part, part)] + added[place] * np.eye(len(part))) * FREQUENCY
        theirs = covariance_of(pd.DataFrame(returns[:, part]), method)
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-12)
    is_shrunk = method in ("ledoit_wolf", "oas")
    assert (kept[1:] < 1).all() == is_shrunk


@pytest.mark.parametrize("method", moments.RETURN_METHODS)
def test_expected_returns_are_the_library_s(returns: np.ndarray, method: str) -> None:
    options = {"returns_data": True, "compounding": True, "frequency": FREQUENCY}
    theirs = {
        "mean": oracle_returns.mean_historical_return,
        "ema": oracle_returns.ema_historical_return,
        "capm": lambda frame, **more: oracle_returns.capm_return(frame, risk_free_rate=0.03, **more),
    }[method](pd.DataFrame(returns), **options)
    ours = moments.expected_returns(returns.T, method, FREQUENCY, risk_free_rate=0.03)
    np.testing.assert_allclose(ours, theirs.to_numpy(), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("method", moments.COVARIANCE_METHODS)
def test_a_pair_has_the_same_bits_in_any_universe(returns: np.ndarray, method: str) -> None:
    whole = moments.covariances(returns.T, method)
    for part in PARTS:
        alone = moments.covariances(np.ascontiguousarray(returns[:, part].T), method)
        np.testing.assert_array_equal(alone.matrix, whole.matrix[np.ix_(part, part)])
        if len(whole.fourth):
            np.testing.assert_array_equal(alone.fourth, whole.fourth[np.ix_(part, part)])


@pytest.mark.parametrize("method", ["mean", "ema"])
def test_an_expected_return_has_the_same_bits_in_any_universe(returns: np.ndarray, method: str) -> None:
    whole = moments.expected_returns(returns.T, method, FREQUENCY)
    for part in PARTS:
        alone = moments.expected_returns(np.ascontiguousarray(returns[:, part].T), method, FREQUENCY)
        np.testing.assert_array_equal(alone, whole[part])


def test_what_does_not_vary_is_not_shrunk_into_something_that_does() -> None:
    found = moments.covariances(np.zeros((3, 30)), "ledoit_wolf")
    kept, added = moments.shrink_population(found, np.array([0, 3]), np.arange(3))
    assert (kept[0], added[0]) == (1.0, 0.0)


def test_unknown_methods_are_refused(returns: np.ndarray) -> None:
    with pytest.raises(ValueError, match="sample, exponential, ledoit_wolf, oas"):
        moments.covariances(returns.T, "median")
    with pytest.raises(ValueError, match="mean, ema, capm"):
        moments.expected_returns(returns.T, "median", FREQUENCY)
