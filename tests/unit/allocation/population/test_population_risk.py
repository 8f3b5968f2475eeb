"""Risk measures of populations against empyrical's formulas, and our own measures of what was held."""

import numpy as np
import pytest

from assets.allocation.estimates import Estimates
from assets.allocation.model import FloatArray
from assets.allocation.population.risk import RiskMeasures, measure_population, measure_series
from assets.performance import compiled, measures

NAMES = ("volatility", "sharpe_ratio", "sortino_ratio", "max_drawdown", "value_at_risk", "expected_shortfall")


def by_empyrical(returns: FloatArray, risk_free: float, periods: int, cutoff: float) -> list[float]:
    """empyrical 0.5.5's annual_volatility, sharpe_ratio, sortino_ratio, max_drawdown, value_at_risk,
    conditional_value_at_risk, formula by formula; the package itself is no dependency of ours.
    """
    excess = returns - risk_free
    downside = np.sqrt(np.mean(np.square(np.clip(excess, -np.inf, 0)))) * np.sqrt(periods)
    cumulative = np.concatenate([[100.0], 100.0 * np.cumprod(1 + returns)])
    index = int((len(returns) - 1) * cutoff)
    return [
        np.std(returns, ddof=1) * np.sqrt(periods),
        np.mean(excess) / np.std(excess, ddof=1) * np.sqrt(periods),
        np.mean(excess) * periods / downside,
        np.min((cumulative - np.maximum.accumulate(cumulative)) / np.maximum.accumulate(cumulative)),
        np.percentile(returns, 100 * cutoff),
        np.mean(np.partition(returns, index)[: index + 1]),
    ]


def table(found: RiskMeasures) -> FloatArray:
    return np.column_stack([getattr(found, name) for name in NAMES])


@pytest.mark.parametrize(("days", "confidence"), [(2, 0.95), (21, 0.95), (252, 0.99), (895, 0.9)])
def test_measures_are_those_of_empyrical(published: Estimates, days: int, confidence: float) -> None:
    returns = published.returns[-days:].T
    found = table(measure_series(returns, daily_risk_free=0.0001, confidence=confidence))
    for row, expected in zip(found, returns, strict=True):
        theirs = np.array(by_empyrical(expected, 0.0001, 252, 1 - confidence))
        if not np.isfinite(theirs[2]) or (expected >= 0.0001).all():
            theirs[2] = np.nan
        assert row == pytest.approx(theirs, abs=1e-9, nan_ok=True)


def test_measures_are_those_of_the_performance_tables(published: Estimates) -> None:
    returns = np.ascontiguousarray(published.returns.T)
    by_day = published.returns
    rates, periods = np.full(by_day.shape, 0.0001), np.full(len(returns), 252)
    deviation = measures.sample_deviation(by_day)
    found = measure_series(returns, daily_risk_free=0.0001)
    assert found.volatility == pytest.approx(measures.volatility(deviation, periods).value, abs=1e-12)
    assert found.sharpe_ratio == pytest.approx(measures.sharpe_ratio(by_day, rates, deviation, periods).value, abs=1e-9)
    assert found.sortino_ratio == pytest.approx(measures.sortino_ratio(by_day, rates, periods).value, abs=1e-9)
    assert found.max_drawdown == pytest.approx(measures.drawdown(by_day)[0].value, abs=1e-12)


def test_a_population_is_measured_by_its_weights(published: Estimates, monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights times returns, the same bits plain and compiled; a refused portfolio (NaN) and an empty one have nothing."""
    offsets, members = np.array([0, 3, 5, 5, 6]), np.array([0, 4, 7, 1, 2, 3])
    weights = np.array([0.5, 0.3, 0.2, np.nan, 0.5, 1.0])
    monkeypatch.setattr(compiled, "WORTH_COMPILING", 10**12)
    plain = table(measure_population(published.returns, offsets, members, weights))
    monkeypatch.setattr(compiled, "WORTH_COMPILING", 0)
    found = table(measure_population(published.returns, offsets, members, weights))
    assert plain.tobytes() == found.tobytes()
    assert np.isnan(found[[1, 2]]).all()
    own = published.returns[:, [0, 4, 7]] @ weights[:3]
    assert found[0] == pytest.approx(by_empyrical(own, 0.0, 252, 0.05), abs=1e-9)
    assert found[3] == pytest.approx(table(measure_series(published.returns[:, [3]].T))[0], abs=1e-12)


def test_what_is_undefined_is_nan() -> None:
    found = measure_series(np.array([[0.01, 0.01, 0.01], [0.01, np.nan, 0.02], [0.0, np.inf, 0.0]]))
    assert np.isnan(found.sharpe_ratio).all()
    assert np.isnan(found.sortino_ratio).all()
    assert found.max_drawdown[0] == 0.0
    assert np.isnan(table(found)[1:]).all()
    alone = measure_series(np.array([[-0.1]]))
    assert np.isnan(alone.volatility[0])
    assert (alone.max_drawdown[0], alone.value_at_risk[0]) == (pytest.approx(-0.1), -0.1)
    with pytest.raises(ValueError, match="one day at least"):
        measure_series(np.empty((2, 0)))
