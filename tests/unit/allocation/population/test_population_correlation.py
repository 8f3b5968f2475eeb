"""Correlations against numpy and pandas, and the series that have none."""

import numpy as np
import pandas as pd
import pytest

from assets.allocation.estimates import Estimates
from assets.allocation.population.correlation import correlation_matrix, rolling_correlations
from assets.performance import compiled


def test_the_matrix_is_that_of_numpy(published: Estimates) -> None:
    found = correlation_matrix(published.returns)
    assert found == pytest.approx(np.corrcoef(published.returns.T), abs=1e-12)
    assert (found == found.T).all()
    assert (np.diag(found) == 1.0).all()


def test_series_without_correlation_are_nan_alone() -> None:
    returns = np.random.default_rng(1).normal(0, 0.01, (50, 4))
    returns[:, 1] = 0.001
    returns[7, 2] = np.nan
    found = correlation_matrix(returns)
    assert np.isnan(found[[1, 2]]).all()
    assert np.isnan(found[:, [1, 2]]).all()
    assert found[0, 3] == pytest.approx(np.corrcoef(returns[:, 0], returns[:, 3])[0, 1])


@pytest.mark.parametrize("window", [2, 30, 90])
def test_rolling_correlations_are_those_of_pandas(
    published: Estimates, window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On real prices with holes; the same bits plain and compiled."""
    returns = published.returns[:400, :6].copy()
    returns[100, 0] = returns[250:260, 3] = np.nan
    first, second = np.triu_indices(6, 1)
    monkeypatch.setattr(compiled, "WORTH_COMPILING", 10**12)
    plain = rolling_correlations(returns, first, second, window)
    monkeypatch.setattr(compiled, "WORTH_COMPILING", 0)
    found = rolling_correlations(returns, first, second, window)
    assert plain.tobytes() == found.tobytes()
    for row, i, j in zip(found, first, second, strict=True):
        for day in range(400):
            part = returns[day - window + 1 : day + 1][:, [i, j]] if day >= window - 1 else np.full((1, 2), np.nan)
            is_defined = np.isfinite(part).all() and (np.ptp(part, axis=0) > 0).all()
            assert np.isfinite(row[day]) == is_defined
        theirs = pd.Series(returns[:, i]).rolling(window).corr(pd.Series(returns[:, j])).to_numpy()
        both = np.isfinite(row) & np.isfinite(theirs)
        if window > 2:
            assert both.sum() == np.isfinite(row).sum()
            assert row[both] == pytest.approx(theirs[both], abs=1e-9)


def test_a_quiet_window_after_a_jump_keeps_its_digits() -> None:
    """A crash of 90 % leaves the window; deviations of 1e-6 follow, which moving sums alone would have lost."""
    returns = np.random.default_rng(5).normal(0, 1e-6, (300, 2))
    returns[50] = -0.9, 5.0
    returns[150:, 1] = 0.0  # and then nothing moves any more
    found = rolling_correlations(returns, [0], [1], 20)[0]
    for day in range(19, 165):
        part = returns[day - 19 : day + 1]
        assert found[day] == pytest.approx(np.corrcoef(part.T)[0, 1], abs=1e-9)
    assert np.isnan(found[169:]).all()


def test_a_window_needs_two_days() -> None:
    with pytest.raises(ValueError, match="window 1"):
        rolling_correlations(np.zeros((5, 2)), [0], [1], 1)
