"""Measures of daily returns: linking, annualising, deviation, ratios, drawdown. Pure numpy, no I/O, no dates.

Belongs here: what is computed from a matrix of daily returns. Must not be here: money (amounts), internal rates
(xirr), periods, SQL. Definitions are those of docs/metrics.md; `performance_between.sql` holds the same ones and an
equivalence test compares them.

Shapes: a matrix is (days, portfolios), the last row the last day of each portfolio's period, float64 fractions
(0.01 = 1 %). NaN rule: NaN is "no return that day" (nothing invested, a day that does not count, or before the period)
and is skipped; a result is NaN exactly where its code is not `DEFINED`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assets.performance import reasons
from assets.performance.reasons import Codes

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

# below these, a deviation or a fall is rounding: a series of +1 % a day has a deviation of about 1e-16
ZERO_DEVIATION = 1e-12
ZERO_DRAWDOWN = 1e-12
DAYS_PER_YEAR = 365


@dataclass(frozen=True)
class Measure:
    """A measure of many portfolios.

    Attributes:
        value: (portfolios,) NaN where undefined.
        code: (portfolios,) the reason code, `DEFINED` where there is a value.
    """

    value: Floats
    code: Codes


def measure(value: Floats, *undefined: tuple[Booleans | np.bool_, str]) -> Measure:
    """A measure whose code is that of the first condition that holds; the value becomes NaN there."""
    code = np.zeros(value.shape, dtype="U32")  # all `DEFINED`, the empty text
    is_undefined = np.zeros(value.shape, dtype=np.bool_)
    for condition, reason in reversed(undefined):
        code[condition] = reason
        is_undefined |= condition
    return Measure(np.where(is_undefined, np.nan, value), code)


def sum_in_order(values: Floats) -> Floats:
    """(portfolios,) sums of each column, first row to last; NaN where one of its values is.

    Rows that lie one after the other are added row by row. Anything else numpy adds up in pairs, which depend on the
    shape: the last bit of a portfolio would follow from its company in the matrix, and a rerun publish "changes".
    """
    if values.shape[1] == 1:
        return np.asarray(np.cumsum(values, axis=0)[-1])
    return np.asarray(np.add.reduce(np.ascontiguousarray(values), axis=0))


def linked_return(returns: Floats) -> Measure:
    """Time-weighted return: the product of 1 + r over the days with a return, minus 1."""
    wealth = np.multiply.reduce(_growth(returns), axis=0)
    return measure(wealth - 1.0, (_count(returns) == 0, reasons.NO_RETURNS))


def annualized_return(linked: Measure, days: Integers) -> Measure:
    """(1 + R)^(365 / days) - 1, only from 365 days on (GIPS: shorter periods are not annualised).

    Args:
        linked: the period's linked return R.
        days: (portfolios,) calendar days of the period, both ends included.
    """
    wealth = 1.0 + linked.value
    with np.errstate(invalid="ignore"):
        value = np.maximum(wealth, 0.0) ** (DAYS_PER_YEAR / np.maximum(days, 1)) - 1.0
    return measure(
        value,
        (days < DAYS_PER_YEAR, reasons.PERIOD_UNDER_365_DAYS),
        (linked.code != reasons.DEFINED, reasons.NO_RETURNS),
        (wealth < 0.0, reasons.NEGATIVE_WEALTH),
    )


def sample_deviation(returns: Floats) -> Measure:
    """Sample standard deviation (n - 1) of the daily returns; undefined for n < 2 and for equal returns."""
    count = _count(returns)
    deviations = _known(returns - _mean(returns))
    value = np.sqrt(sum_in_order(deviations**2) / np.maximum(count - 1, 1))
    return measure(value, (count < 2, reasons.TOO_FEW_RETURNS), (value <= ZERO_DEVIATION, reasons.ZERO_DEVIATION))


def volatility(deviation: Measure, periods_per_year: Integers) -> Measure:
    """Daily deviation x sqrt(periods per year)."""
    return Measure(deviation.value * np.sqrt(periods_per_year), deviation.code)


def sharpe_ratio(returns: Floats, daily_risk_free: Floats, deviation: Measure, periods_per_year: Integers) -> Measure:
    """Mean excess return / sample deviation of the returns x sqrt(periods per year) (Sharpe 1966).

    Args:
        returns: (days, portfolios).
        daily_risk_free: (days, portfolios) the year's rate / periods per year; NaN on a day with a return makes the
            ratio undefined.
        deviation: of the same returns.
        periods_per_year: (portfolios,) 365 or 252.
    """
    with np.errstate(invalid="ignore", divide="ignore"):
        value = _mean(returns - daily_risk_free) / deviation.value * np.sqrt(periods_per_year)
    return _ratio(value, returns, daily_risk_free, deviation.code)


def sortino_ratio(returns: Floats, daily_risk_free: Floats, periods_per_year: Integers) -> Measure:
    """Mean excess return / downside deviation x sqrt(periods per year); the target is the risk-free rate.

    The downside deviation is the root of the mean square of min(excess, 0) over all observations, not only the bad
    ones (Sortino, Price 1994).
    """
    excess = returns - daily_risk_free
    count = np.maximum(_count(excess), 1)
    with np.errstate(invalid="ignore", divide="ignore"):
        downside = np.sqrt(sum_in_order(_known(np.minimum(excess, 0.0)) ** 2) / count)
        value = _mean(excess) / downside * np.sqrt(periods_per_year)
    few = _count(returns) < 2
    code = np.where(few, reasons.TOO_FEW_RETURNS, reasons.DEFINED)
    code = np.where(~few & (downside <= ZERO_DEVIATION), reasons.ZERO_DOWNSIDE_DEVIATION, code)
    return _ratio(value, returns, daily_risk_free, code)


def _ratio(value: Floats, returns: Floats, daily_risk_free: Floats, code: Codes) -> Measure:
    is_unknown = (np.isnan(daily_risk_free) & ~np.isnan(returns)).any(axis=0)
    few = code == reasons.TOO_FEW_RETURNS
    zero = code == reasons.ZERO_DEVIATION
    zero_downside = code == reasons.ZERO_DOWNSIDE_DEVIATION
    return measure(
        value,
        (few, reasons.TOO_FEW_RETURNS),
        (is_unknown, reasons.MISSING_RISK_FREE_RATE),
        (zero, reasons.ZERO_DEVIATION),
        (zero_downside, reasons.ZERO_DOWNSIDE_DEVIATION),
    )


def mean_risk_free_rate(returns: Floats, risk_free_rate: Floats) -> Measure:
    """Mean of the yearly risk-free rate over the days whose return counts; undefined when one of them has none."""
    counts = ~np.isnan(returns)
    is_unknown = (np.isnan(risk_free_rate) & counts).any(axis=0)
    value = _mean(np.where(counts, risk_free_rate, np.nan))
    return measure(value, (~counts.any(axis=0), reasons.NO_RETURNS), (is_unknown, reasons.MISSING_RISK_FREE_RATE))


def drawdown(returns: Floats) -> tuple[Measure, Measure]:
    """Deepest fall of the linked index below its former peak, and how long it lasted.

    The index starts at 1 at the close before the first day, and that start is a candidate peak.

    Args:
        returns: (days, portfolios) all returns of the period.

    Returns:
        `max_drawdown` <= 0, and `drawdown_days`: calendar days from the last day at the peak before the deepest point
        to the first day back at that peak, or to the period's end. 0 and 0 when the index never fell.
    """
    index = np.cumprod(np.vstack([np.ones((1, returns.shape[1])), _growth(returns)]), axis=0)
    peak = np.maximum.accumulate(index, axis=0)
    falls = index / peak - 1.0
    trough = falls.argmin(axis=0)
    columns, days = np.arange(index.shape[1]), np.arange(len(index))[:, None]
    deepest = falls[trough, columns]
    is_after = days > trough
    at_peak = (falls >= -ZERO_DRAWDOWN) & ~is_after
    left_peak = len(returns) - at_peak[::-1].argmax(axis=0)
    recovered = is_after & (index >= peak[trough, columns] * (1.0 - ZERO_DRAWDOWN))
    back = np.where(recovered.any(axis=0), recovered.argmax(axis=0), len(returns))
    has_fallen = deepest < -ZERO_DRAWDOWN
    no_returns = (_count(returns) == 0, reasons.NO_RETURNS)
    lasted = np.where(has_fallen, back - left_peak, 0).astype(np.float64)
    return measure(np.where(has_fallen, deepest, 0.0), no_returns), measure(lasted, no_returns)


def calmar_ratio(annualized: Measure, max_drawdown: Measure) -> Measure:
    """Annualised time-weighted return / |max drawdown|, undefined where the first is and without a drawdown."""
    with np.errstate(invalid="ignore", divide="ignore"):
        value = annualized.value / np.abs(max_drawdown.value)
    return measure(
        value,
        (annualized.code == reasons.PERIOD_UNDER_365_DAYS, reasons.PERIOD_UNDER_365_DAYS),
        (max_drawdown.code != reasons.DEFINED, reasons.NO_RETURNS),
        (annualized.code != reasons.DEFINED, reasons.NEGATIVE_WEALTH),
        (max_drawdown.value == 0.0, reasons.ZERO_DRAWDOWN),
    )


def _count(values: Floats) -> Integers:
    return np.asarray((~np.isnan(values)).sum(axis=0), dtype=np.int64)


def _known(values: Floats) -> Floats:
    """Values, 0 where there is none."""
    return np.where(np.isnan(values), 0.0, values)


def _growth(returns: Floats) -> Floats:
    """1 + r, 1 where there is no return."""
    return 1.0 + _known(returns)


def _mean(values: Floats) -> Floats:
    """Mean over the days that have a value, 0 where none has (the caller marks those undefined)."""
    return sum_in_order(_known(values)) / np.maximum(_count(values), 1)
