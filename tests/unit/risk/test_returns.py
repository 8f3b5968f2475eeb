"""Calendars, spans and what is left out, on series short enough to count by hand."""

import numpy as np
import pytest

from assets.risk.returns import daily_calendar, gains, returns_by_horizon
from tests.unit.risk.books import book, history

MONDAY = 18022  # 2019-05-06


def test_only_coins_have_weekends() -> None:
    holdings = book([{"crypto:BTC": 1, "fiat:USD": 5}, {"crypto:BTC": 1, "etf:A": 1}, {"fiat:EUR": 1}])
    assert daily_calendar(holdings).tolist() == [True, False, False]


def test_a_monday_spans_the_weekend_of_a_coin() -> None:
    holdings = book([{"crypto:BTC": 100.0, "etf:A": 100.0}])
    returns = np.full((2, 14), 0.1)
    returns[1] = np.where(np.arange(14) % 7 < 5, 0.02, 0.0)
    days, found = returns_by_horizon(history(holdings, returns, MONDAY), is_daily=False)
    assert (days - MONDAY).tolist() == [0, 1, 2, 3, 4, 7, 8, 9, 10, 11]
    np.testing.assert_allclose(found[1][0, 5], 1.1**3 - 1)
    np.testing.assert_allclose(found[1][1, 5], 0.02)
    assert np.isnan(found[1][:, 0]).all()
    all_days, _ = returns_by_horizon(history(holdings, returns, MONDAY), is_daily=True)
    assert len(all_days) == 14


def test_ten_days_compound_and_an_unknown_day_leaves_the_span_out() -> None:
    holdings = book([{"crypto:BTC": 100.0, "fiat:USD": 7.0}])
    returns = np.full((2, 30), 0.01)
    returns[0, 12] = np.nan
    _, found = returns_by_horizon(history(holdings, returns), is_daily=True)
    np.testing.assert_allclose(found[10][0, 11], 1.01**10 - 1)
    assert np.isnan(found[10][0, 12:22]).all()
    assert np.isfinite(found[10][0, 22:]).all()
    assert np.isnan(found[1][0, 12])
    assert (found[1][1, 1:] == 0).all()  # the base currency


def test_gains_are_values_times_returns_and_debts_gain_when_prices_fall() -> None:
    rng = np.random.default_rng(1)
    holdings = book([{"crypto:A": 100.0, "crypto:B": -40.0, "fiat:USD": 10.0}])
    returns = rng.normal(0, 0.02, (3, 60))
    known = history(holdings, returns)
    days, by_horizon = returns_by_horizon(known, is_daily=True)
    found = gains(holdings, known, days, by_horizon)
    np.testing.assert_allclose(found.gains[1][0, 1:], 100 * returns[0, 1:] - 40 * returns[1, 1:])
    assert found.included.all()


def test_a_short_history_is_left_out_and_an_unsound_one_too() -> None:
    holdings = book([{"crypto:A": 90.0, "crypto:B": 5.0, "crypto:C": 5.0, "fiat:USD": 1.0}, {"crypto:B": 5.0}])
    returns = np.full((4, 100), 0.01)
    returns[1, :60] = np.nan
    known = history(holdings, returns, problems={"crypto:C": "stale"})
    days, by_horizon = returns_by_horizon(known, is_daily=True)
    found = gains(holdings, known, days, by_horizon)
    assert found.included.tolist() == [True, False, False, True, True]
    assert found.reasons == ["", "too_short", "stale", "", ""]
    assert np.isfinite(found.gains[1][0, 1:]).all()
    assert np.isfinite(found.gains[1][1]).sum() == 40  # alone it is the longest


@pytest.mark.parametrize("order", [[0, 1], [1, 0], [1]])
def test_a_portfolio_gains_the_same_whoever_is_beside_it(order: list[int]) -> None:
    rng = np.random.default_rng(2)
    holdings = book([{"crypto:A": 0.1, "crypto:B": 0.7}, {"crypto:A": 1 / 3, "crypto:C": 2 / 7}])
    known = history(holdings, rng.normal(0, 0.03, (3, 80)))
    days, by_horizon = returns_by_horizon(known, is_daily=True)
    chosen = holdings.chosen(np.array(order))
    both = gains(holdings, known, days, by_horizon).gains[10][1]
    np.testing.assert_array_equal(gains(chosen, known, days, by_horizon).gains[10][order.index(1)], both)
