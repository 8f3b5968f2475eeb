"""How portfolios move with factors: one slope for each portfolio, factor and window.

Belongs here: the levels of portfolios, from sums to beta, t statistic and share explained. Must not be here: SQL, which
factors there are (int_factors), the loops (pairs_kernel).

Each factor is set against the portfolio alone. In one regression of all factors a slope would hang on which others
happen to have prices, and two that move alike would share theirs at random.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from assets.correlation.model import EXPOSURE_WINDOWS, Floats
from assets.correlation.pairs import sum_pairs
from assets.performance.series import DailySeries

#: Above it a t statistic is rounding: the portfolio is the factor.
ALL_EXPLAINED = 1 - 1e-12


@dataclass(frozen=True)
class Exposure:
    """Slope of a portfolio's returns on a factor's; None where undefined, and `undefined_reason`."""

    portfolio_id: str
    factor: str
    window_days: int
    instrument_id: str
    beta: float | None
    t_stat: float | None
    r_squared: float | None
    observations: int
    undefined_reason: str | None


def portfolio_levels(series: DailySeries, last_day: int, days: int) -> Floats:
    """(portfolios, days) index of the time-weighted return at the closes of the days that end with `last_day`.

    NaN on a day without a return and on one on which nothing that is held trades: its return is part of the next one.

    Args:
        series: daily rows of the portfolios.
        last_day: day number.
        days: how many columns.
    """
    levels = np.full((len(series.portfolio_ids), days), np.nan)
    counts = series.flags["is_market_day"] | series.flags["trades_daily"]
    for row in range(len(levels)):
        begin, end = int(series.offsets[row]), int(series.offsets[row + 1])
        column = int(series.first_day[row]) - (last_day - days + 1)
        begin, column = begin - min(column, 0), max(column, 0)
        end = min(end, begin + days - column)
        if end <= begin:
            continue
        returns = series.numbers["twr_return"][begin:end]
        index = np.cumprod(1.0 + np.nan_to_num(returns))
        is_seen = counts[begin:end] & ~np.isnan(returns) & (index > 0)
        levels[row, column : column + end - begin] = np.where(is_seen, index, np.nan)
    return levels


def exposures(
    portfolio_ids: list[str], levels: Floats, factors: Mapping[str, str], factor_levels: Floats
) -> Iterator[Exposure]:
    """Ordinary least squares with an intercept, for each portfolio, factor and window.

    t = r sqrt((n - 2) / (1 - r^2)) with r the correlation and n the observations, of the slope against 0; the share
    explained is r^2.

    Args:
        portfolio_ids: (portfolios,).
        levels: (portfolios, days), see `portfolio_levels`.
        factors: factor -> instrument, in the order of `factor_levels`.
        factor_levels: (factors, days) in the base currency of the portfolios; NaN: not seen.
    """
    count = len(portfolio_ids)
    first = np.repeat(np.arange(count, dtype=np.int64), len(factors))
    second = np.tile(np.arange(count, count + len(factors), dtype=np.int64), count)
    named = list(factors.items())
    for window_days in EXPOSURE_WINDOWS:
        sums = sum_pairs(np.vstack([levels, factor_levels]), first, second, window_days)
        with np.errstate(invalid="ignore", divide="ignore"):
            slopes, correlations = sums.slopes(), sums.correlations()
            explained = correlations**2
            statistics = correlations * np.sqrt((sums.observations - 2) / (1 - explained))
        is_exact = explained > ALL_EXPLAINED
        for pair, code in enumerate(sums.codes().tolist()):
            factor, instrument_id = named[pair % len(named)]
            reasons = f"beta:{code}" if code else "t_stat:no_residual" if is_exact[pair] else None
            yield Exposure(
                portfolio_id=portfolio_ids[pair // len(named)],
                factor=factor,
                window_days=window_days,
                instrument_id=instrument_id,
                beta=_number(slopes[pair]),
                t_stat=None if is_exact[pair] else _number(statistics[pair]),
                r_squared=_number(explained[pair]),
                observations=int(sums.observations[pair]),
                undefined_reason=reasons,
            )


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
