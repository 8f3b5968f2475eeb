"""Slopes against scipy's regression, on portfolios and factors that rest on different days."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import linregress

from assets.correlation.exposures import Exposure, exposures, portfolio_levels
from assets.performance.series import FLAGS, NUMBERS, DailySeries

LAST_DAY, DAYS = 20_000, 366
IS_WEEKEND = np.arange(DAYS) % 7 >= 5


def series(returns: list[np.ndarray], trades: list[np.ndarray]) -> DailySeries:
    """Portfolios whose histories end with the last day."""
    lengths = [len(one) for one in returns]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    numbers = {name: np.zeros(offsets[-1]) for name in NUMBERS} | {"twr_return": np.concatenate(returns)}
    flags = {name: np.zeros(offsets[-1], dtype=bool) for name in FLAGS} | {"is_market_day": np.concatenate(trades)}
    first = LAST_DAY + 1 - np.array(lengths, dtype=np.int64)
    return DailySeries([f"p{n}" for n in range(len(returns))], offsets, first, numbers, flags)


def found(rows: list[Exposure], portfolio: str, factor: str, window_days: int) -> Exposure:
    (row,) = (r for r in rows if (r.portfolio_id, r.factor, r.window_days) == (portfolio, factor, window_days))
    return row


def test_slopes_are_those_of_a_regression_on_the_common_days() -> None:
    generator = np.random.default_rng(8)
    coin, share = generator.normal(0, 0.03, DAYS), np.where(IS_WEEKEND, 0.0, generator.normal(0, 0.01, DAYS))
    own = 0.4 * coin + 0.5 * share + generator.normal(0, 0.005, DAYS)
    long_history = np.concatenate([generator.normal(0, 0.01, 900), own])
    of_long = np.ones(len(long_history), dtype=bool)
    daily = series([long_history, share[-100:]], [of_long, ~IS_WEEKEND[-100:]])
    factors = np.vstack([np.cumprod(1 + coin), np.where(IS_WEEKEND, np.nan, np.cumprod(1 + share))])

    levels = portfolio_levels(daily, LAST_DAY, DAYS)
    rows = list(exposures(daily.portfolio_ids, levels, {"coin": "crypto:A", "share": "etf:B"}, factors))

    assert len(rows) == 2 * 2 * 2
    for number, factor in enumerate(("coin", "share")):
        table = pd.DataFrame({"own": np.cumprod(1 + own), "other": factors[number]})
        both = table.iloc[-91:].dropna().pct_change().dropna()
        expected = linregress(both["other"], both["own"])
        row = found(rows, "p0", factor, 90)
        assert row.observations == len(both)
        assert row.beta == pytest.approx(expected.slope)
        assert row.t_stat == pytest.approx(expected.slope / expected.stderr)
        assert row.r_squared == pytest.approx(expected.rvalue**2)
    # the portfolio is the factor: a slope of 1, and no residual to tell an error from
    same = found(rows, "p1", "share", 90)
    assert (same.beta, same.t_stat, same.undefined_reason) == (pytest.approx(1.0), None, "t_stat:no_residual")
    assert found(rows, "p1", "share", 365).undefined_reason == "beta:too_few_observations"
    assert found(rows, "p1", "share", 365).beta is None


def test_days_without_a_return_and_without_trade_are_no_levels() -> None:
    returns = np.array([np.nan, 0.1, 0.0, -0.5, np.nan, 1.0])
    trades = np.array([True, True, False, True, True, True])
    levels = portfolio_levels(series([returns], [trades]), LAST_DAY, 8)
    expected = [np.nan, np.nan, np.nan, 1.1, np.nan, 0.55, np.nan, 1.1]
    assert levels[0] == pytest.approx(expected, nan_ok=True)


def test_a_history_that_ended_or_that_begins_later_stays_in_place() -> None:
    one = series([np.full(3, 0.1)], [np.ones(3, dtype=bool)])
    assert portfolio_levels(one, LAST_DAY + 2, 4)[0] == pytest.approx([1.1, 1.21, np.nan, np.nan], nan_ok=True)
    assert np.isnan(portfolio_levels(one, LAST_DAY + 20, 4)).all()
