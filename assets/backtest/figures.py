"""Measures of a walk: return, volatility, Sharpe ratio, drawdown, turnover, costs.

Belongs here: from an index to its row. Must not be here: how it came about (walk), SQL.
"""

from dataclasses import dataclass
from datetime import date

import numpy as np

from assets.allocation.model import FloatArray
from assets.backtest.walk import Walk

DAYS_PER_YEAR = 365
#: As for every deviation of daily returns here: fewer say nothing.
FEWEST_RETURNS = 20
ZERO_DEVIATION = 1e-12


@dataclass(frozen=True)
class Figures:
    """Of one strategy over one period; rates a year, fractions, None where undefined."""

    period_start: date
    period_end: date
    total_return: float
    annual_return: float | None
    volatility: float | None
    sharpe_ratio: float | None
    max_drawdown: float
    turnover: float
    costs: float
    observations: int
    rebalances: int
    undefined_reason: str | None


def figures(walked: Walk, risk_free_rates: FloatArray, periods_per_year: int) -> Figures:
    """The measures of docs/metrics.md on the daily index.

    Args:
        walked: the first day is that of the purchase, from 1 before its costs.
        risk_free_rates: (D,) a year, beside the days; NaN counts as 0.
        periods_per_year: 365 where anything trades every day, else 252.

    Returns:
        `annual_return` from 365 days on; `turnover` is the mean of what is bought and what is sold over the value, a
        year, without the first purchase; `costs` are all that was paid, over the value at each time, purchase included.
    """
    start, end = walked.days[0].astype(date), walked.days[-1].astype(date)
    total = float(walked.index[-1]) - 1.0
    days = (end - start).days
    returns = walked.index[1:] / walked.index[:-1] - 1.0
    deviation = float(np.std(returns, ddof=1)) if len(returns) >= FEWEST_RETURNS else None
    codes = []
    if days < DAYS_PER_YEAR:
        codes.append("annual_return:period_under_365_days")
    if deviation is None:
        codes += ["volatility:fewer_than_20_days", "sharpe_ratio:fewer_than_20_days"]
    sharpe = None
    if deviation is not None and deviation > ZERO_DEVIATION:
        excess = returns - np.nan_to_num(risk_free_rates[1:]) / periods_per_year
        sharpe = float(excess.mean() / deviation * np.sqrt(periods_per_year))
    elif deviation is not None:
        codes.append("sharpe_ratio:zero_deviation")
    peaks = np.maximum.accumulate(np.concatenate([[1.0], walked.index]))[1:]
    return Figures(
        period_start=start,
        period_end=end,
        total_return=total,
        annual_return=(1 + total) ** (DAYS_PER_YEAR / days) - 1 if days >= DAYS_PER_YEAR else None,
        volatility=None if deviation is None else deviation * float(np.sqrt(periods_per_year)),
        sharpe_ratio=sharpe,
        max_drawdown=float((walked.index / peaks - 1).min()),
        turnover=float(walked.traded[1:].sum() / 2 * DAYS_PER_YEAR / days) if days else 0.0,
        costs=float(walked.costs.sum()),
        observations=len(returns),
        rebalances=len(walked.traded),
        undefined_reason=";".join(codes) or None,
    )
