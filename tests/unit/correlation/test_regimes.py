"""Regimes of matrices whose answer is known in closed form."""

import numpy as np
import pytest

from assets.correlation.model import MISSING_CORRELATION, NOT_LONG_ONLY, NOT_SEMIDEFINITE, Regime, WindowCorrelations
from assets.correlation.regimes import complete, diversification_ratio, is_breached, name_of, read_regime


def equal_correlation(count: int, correlation: float) -> np.ndarray:
    return np.full((count, count), correlation) + (1 - correlation) * np.eye(count)


def window(matrix: np.ndarray, window_days: int = 365) -> WindowCorrelations:
    size = len(matrix)
    return WindowCorrelations(window_days, matrix, np.full(size, 0.2), np.full((size, size), 250))


@pytest.mark.parametrize("count", [2, 5, 40])
@pytest.mark.parametrize("correlation", [0.0, 0.3, 0.6, 0.9, 1.0])
def test_equal_correlations_have_a_closed_form(count: int, correlation: float) -> None:
    """Eigenvalues 1 + (N - 1) r and 1 - r; the variance of equal weights is s^2 (1 + (N - 1) r) / N."""
    found = read_regime(window(equal_correlation(count, correlation)))
    largest = 1 + (count - 1) * correlation
    assert found.assets == count
    assert found.average_correlation == pytest.approx(correlation, abs=1e-12)
    assert found.first_eigenvalue_share == pytest.approx(largest / count)
    assert found.diversification_ratio == pytest.approx(np.sqrt(count / largest))
    assert found.undefined_reason is None


def test_names_begin_at_their_limits() -> None:
    limits = (-1.0, 0.1999, 0.2, 0.4999, 0.5, 0.7499, 0.75, 1.0)
    names = ["low", "low", "normal", "normal", "high", "high", "crisis", "crisis"]
    assert [name_of(value) for value in limits] == names


def test_an_asset_without_history_leaves_the_others_their_regime() -> None:
    matrix = equal_correlation(4, 0.3)
    matrix[2, :] = matrix[:, 2] = np.nan
    assert complete(matrix).tolist() == [True, True, False, True]
    assert read_regime(window(matrix)).average_correlation == pytest.approx(0.3)
    # a single missing pair costs one of the two, not both
    matrix = equal_correlation(4, 0.3)
    matrix[0, 3] = matrix[3, 0] = np.nan
    assert complete(matrix).tolist() == [True, True, True, False]


@pytest.mark.parametrize("matrix", [np.empty((0, 0)), np.ones((1, 1)), np.full((3, 3), np.nan)])
def test_fewer_than_two_assets_have_no_regime(matrix: np.ndarray) -> None:
    found = read_regime(window(matrix))
    assert (found.regime, found.average_correlation) == (None, None)
    assert found.undefined_reason == "average_correlation:fewer_than_2_assets"


def test_a_breach_is_a_crisis_or_far_above_the_year() -> None:
    def regime(days: int, average: float) -> Regime:
        return Regime(days, 9, average, 0.5, 1.1, name_of(average), None)

    year = regime(365, 0.3)
    assert not is_breached(regime(30, 0.54), year)
    assert is_breached(regime(30, 0.56), year)
    assert is_breached(regime(365, 0.76), regime(365, 0.76))
    assert not is_breached(year, year)
    assert not is_breached(Regime(30, 1, None, None, None, None, "x"), year)


def test_diversification_of_known_portfolios() -> None:
    volatilities, unrelated = np.array([0.1, 0.3]), np.eye(2)
    assert diversification_ratio(np.array([3.0, 1.0]), volatilities, unrelated) == (pytest.approx(np.sqrt(2)), None)
    assert diversification_ratio(np.array([1.0]), volatilities[:1], np.ones((1, 1))) == (pytest.approx(1.0), None)
    assert diversification_ratio(np.array([1.0, -1.0]), volatilities, unrelated) == (None, NOT_LONG_ONLY)
    assert diversification_ratio(np.array([1.0, 1.0]), np.array([0.1, np.nan]), unrelated) == (
        None,
        MISSING_CORRELATION,
    )
    # three pairs that no three series can have at once
    impossible = np.array([[1, -0.9, -0.9], [-0.9, 1, -0.9], [-0.9, -0.9, 1]])
    assert diversification_ratio(np.ones(3), np.ones(3), impossible) == (None, NOT_SEMIDEFINITE)
