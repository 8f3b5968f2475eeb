"""Risk measures of a whole population: volatility, Sharpe, Sortino, drawdown, historical VaR and expected shortfall.

Belongs here: shapes, checks, names. Must not be here: the loops (risk_kernel), returns of what was really held
(assets.performance.measures), money, SQL.

Definitions are those of docs/metrics.md: sample deviation (n - 1), the downside over all observations, the start as a
candidate peak. empyrical's are the same but for an undefined ratio, which is NaN here and 0 or infinite there.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from assets.allocation.population import risk_kernel
from assets.allocation.population.shapes import Floats, Integers, floats, integers
from assets.performance.compiled import kernel


@dataclass(frozen=True)
class RiskMeasures:
    """Measures of a population, (portfolios,) each; NaN where undefined.

    Undefined: all of a portfolio with a return that is not finite; the first three with one observation; a ratio whose
    deviation is below 1e-12.

    Attributes:
        volatility: sample deviation x sqrt(periods).
        sharpe_ratio: mean excess return / sample deviation x sqrt(periods) (Sharpe 1966).
        sortino_ratio: mean excess return / root of the mean square of what falls short, x sqrt(periods).
        max_drawdown: deepest fall of the linked index below its peak, <= 0.
        value_at_risk: the (1 - confidence) quantile of the returns, a return (a loss is negative), linear between
            neighbours (Hyndman and Fan's type 7).
        expected_shortfall: mean of the floor((n - 1)(1 - confidence)) + 1 lowest returns.
    """

    volatility: Floats
    sharpe_ratio: Floats
    sortino_ratio: Floats
    max_drawdown: Floats
    value_at_risk: Floats
    expected_shortfall: Floats


def measure_population(
    returns: ArrayLike,
    offsets: Integers,
    members: Integers,
    weights: Floats,
    *,
    daily_risk_free: float = 0.0,
    periods_per_year: float = 252.0,
    confidence: float = 0.95,
) -> RiskMeasures:
    """Measures of portfolios that restore their weights every day.

    Args:
        returns: (days, N) simple returns of the universe.
        offsets: (portfolios + 1,) members of portfolio j are members[offsets[j]:offsets[j + 1]].
        members: positions in the universe.
        weights: as members; a NaN makes its portfolio undefined.
        daily_risk_free: a day, a fraction.
        periods_per_year: 252 or 365.
        confidence: of VaR and shortfall, in (0, 1).

    Raises:
        ValueError: no day, a member outside the universe, arrays that do not fit together.
    """
    by_asset = floats(np.asarray(returns, dtype=np.float64).T)
    _require(by_asset, confidence)
    offsets, members = integers(offsets), integers(members)
    if len(weights) != len(members) or len(offsets) == 0 or offsets[-1] != len(members) or (np.diff(offsets) < 0).any():
        raise ValueError(f"{len(weights)} weights, {len(members)} members and offsets that do not fit together")
    if len(members) and not (members.min() >= 0 and members.max() < len(by_asset)):
        raise ValueError(f"members {members.min()} to {members.max()} of a universe of {len(by_asset)}")
    values = np.empty((len(offsets) - 1, risk_kernel.MEASURES))
    steps = by_asset.shape[1] * (len(members) + 2 * len(values))
    kernel(risk_kernel.measure_population, steps)(
        by_asset,
        offsets,
        members,
        floats(weights),
        float(daily_risk_free),
        float(periods_per_year),
        1.0 - confidence,
        values,
    )
    return RiskMeasures(*np.ascontiguousarray(values.T))


def measure_series(
    returns: ArrayLike, *, daily_risk_free: float = 0.0, periods_per_year: float = 252.0, confidence: float = 0.95
) -> RiskMeasures:
    """Measures of (portfolios, days) simple returns; the rest as in measure_population.

    Raises:
        ValueError: no day, a confidence outside (0, 1).
    """
    series = floats(returns)
    _require(series, confidence)
    values = np.empty((len(series), risk_kernel.MEASURES))
    kernel(risk_kernel.measure_series, 2 * series.size)(
        series, float(daily_risk_free), float(periods_per_year), 1.0 - confidence, values
    )
    return RiskMeasures(*np.ascontiguousarray(values.T))


def _require(series: Floats, confidence: float) -> None:
    if series.ndim != 2 or series.shape[1] == 0:
        raise ValueError(f"returns {series.shape[::-1]}, expected a matrix with one day at least")
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence {confidence}, expected between 0 and 1")
