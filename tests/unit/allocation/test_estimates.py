"""Which series may be used, how they are aligned, and the estimators."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from assets.allocation.estimates import Estimates, PriceSeries, align_returns, estimate, make_estimates
from assets.allocation.model import EstimationError

AS_OF = date(2024, 6, 30)
Make = Callable[..., PriceSeries]


def codes(series: list[PriceSeries], lookback_days: int = 365) -> dict[str, str]:
    return {item.label: item.code for item in align_returns(series, AS_OF, lookback_days).exclusions}


def test_published_means_are_those_of_the_moments_file(published: Estimates) -> None:
    # PyPortfolioOpt 65cabce, tests/test_expected_returns.py::test_mean_historical_returns, GOOG to GM
    expected = [0.247967, 0.294304, 0.284037, 0.1923164, 0.371327, 0.1360093, 0.0328503, 0.1200115, 0.105540, 0.0423457]
    np.testing.assert_allclose(published.expected_returns[:10], expected, rtol=1e-5)


def test_labels_are_sorted_and_returns_simple(make_series: Make) -> None:
    one, two = make_series("crypto:B", 1), make_series("crypto:A", 2)
    aligned = align_returns([one, two], AS_OF, 365)
    assert aligned.labels == ("crypto:A", "crypto:B")
    assert aligned.returns.shape == (199, 2)
    np.testing.assert_allclose(aligned.returns[:, 1], one.prices[1:] / one.prices[:-1] - 1)
    assert aligned.dates[-1] == np.datetime64("2024-06-30")
    assert aligned.frequency == 365


def test_permuted_series_give_the_same_returns(make_series: Make) -> None:
    series = [make_series(f"crypto:{name}", seed) for seed, name in enumerate("DACB")]
    first, second = align_returns(series, AS_OF, 365), align_returns(series[::-1], AS_OF, 365)
    assert first.labels == second.labels
    np.testing.assert_array_equal(first.returns, second.returns)


def test_mixed_universe_uses_days_on_which_all_were_observed(make_series: Make) -> None:
    coin = make_series("crypto:BTC", 1)
    stock = make_series("equity:X", 2, business_days=True, annualization_days=252)
    aligned = align_returns([coin, stock], AS_OF, 365)
    assert aligned.frequency == 252
    assert np.is_busday(aligned.dates).all()
    # Monday's return of the coin is that since Friday
    monday = int(np.flatnonzero(np.is_busday(aligned.dates) & (aligned.dates.astype("int64") % 7 == 4))[5])
    day = aligned.dates[monday]
    by_day = dict(zip(coin.dates.tolist(), coin.prices.tolist(), strict=True))
    friday = (day - np.timedelta64(3, "D")).astype(object)
    assert aligned.returns[monday, 0] == pytest.approx(by_day[day.astype(object)] / by_day[friday] - 1)


def test_lookback_cuts_the_window(make_series: Make) -> None:
    aligned = align_returns([make_series("crypto:A", 1)], AS_OF, 60)
    assert len(aligned.returns) == 60
    assert aligned.dates[0] == np.datetime64("2024-05-02")


def test_later_prices_do_not_count(make_series: Make) -> None:
    aligned = align_returns([make_series("crypto:A", 1)], date(2024, 6, 1), 365)
    assert aligned.dates[-1] == np.datetime64("2024-06-01")


def test_an_all_missing_series_is_left_out_not_filled_with_zero(make_series: Make) -> None:
    empty = replace(make_series("crypto:A", 1), quote_prices=np.full(200, np.nan), prices=np.full(200, np.nan))
    no_rate = replace(make_series("crypto:B", 2), prices=np.full(200, np.nan))
    assert codes([empty, no_rate, make_series("crypto:C", 3)]) == {"crypto:A": "no_history", "crypto:B": "missing_rate"}


def test_a_hole_takes_its_days_from_all(make_series: Make) -> None:
    holed = make_series("crypto:A", 1)
    holed.prices[50:60] = np.nan
    aligned = align_returns([holed, make_series("crypto:B", 2)], AS_OF, 365)
    assert len(aligned.returns) == 189
    assert np.isfinite(aligned.returns).all()


def test_stale_series_are_left_out(make_series: Make) -> None:
    ended = make_series("crypto:ENDED", 1)
    ended = replace(ended, dates=ended.dates[:-6], prices=ended.prices[:-6], quote_prices=ended.quote_prices[:-6])
    fresh_enough = make_series("crypto:FIVE", 2)
    fresh_enough = replace(
        fresh_enough,
        dates=fresh_enough.dates[:-5],
        prices=fresh_enough.prices[:-5],
        quote_prices=fresh_enough.prices[:-5],
    )
    repeated = make_series("crypto:REPEATED", 3)
    repeated.quote_prices[-12:] = repeated.quote_prices[-12]
    assert codes([ended, fresh_enough, repeated]) == {"crypto:ENDED": "stale", "crypto:REPEATED": "stale"}


def test_an_unchanging_price_is_left_out_even_if_its_currency_moves(make_series: Make) -> None:
    flat = replace(make_series("crypto:FLAT", 1), quote_prices=np.ones(200))
    assert codes([flat, make_series("crypto:B", 2)]) == {"crypto:FLAT": "unchanging"}


def test_short_and_sparse_series_are_left_out(make_series: Make) -> None:
    long = make_series("crypto:LONG", 1)
    new = make_series("crypto:NEW", 2, days=15)
    young = make_series("crypto:YOUNG", 3, days=60)
    monthly = make_series("custom:HOUSE", 4, annualization_days=252)
    monthly = replace(
        monthly, dates=monthly.dates[19::30], prices=monthly.prices[19::30], quote_prices=monthly.prices[19::30],
        max_age_days=400,
    )  # fmt: skip
    assert codes([long, new, young, monthly]) == {
        "crypto:NEW": "too_short",
        "crypto:YOUNG": "too_short",
        "custom:HOUSE": "too_sparse",
    }


def test_nothing_usable_is_an_error_that_names_the_reasons(make_series: Make) -> None:
    with pytest.raises(EstimationError, match=r"crypto:NEW: too_short \(15 prices"):
        align_returns([make_series("crypto:NEW", 2, days=15)], AS_OF, 365)
    with pytest.raises(EstimationError, match="universe is empty"):
        align_returns([], AS_OF, 365)


def test_too_few_common_days_is_an_error(make_series: Make) -> None:
    even, odd = (
        make_series("custom:EVEN", 1, annualization_days=180),
        make_series("custom:ODD", 2, annualization_days=180),
    )
    even = replace(even, dates=even.dates[1::2], prices=even.prices[1::2], quote_prices=even.prices[1::2])
    odd = replace(odd, dates=odd.dates[0::2], prices=odd.prices[0::2], quote_prices=odd.prices[0::2])
    with pytest.raises(EstimationError, match="only 0 days"):
        align_returns([even, odd], AS_OF, 365)


def test_estimators_agree_with_their_formulas(make_series: Make) -> None:
    aligned = align_returns([make_series("crypto:A", 1), make_series("crypto:B", 2)], AS_OF, 365)
    returns = aligned.returns
    sample = estimate(aligned, "mean", "sample")
    np.testing.assert_allclose(sample.expected_returns, np.prod(1 + returns, axis=0) ** (365 / 199) - 1)
    np.testing.assert_allclose(sample.covariance, np.cov(returns.T) * 365)
    # capm: the equally weighted universe is the market, whose beta is 1
    capm = estimate(aligned, "capm", "sample", risk_free_rate=0.03)
    market = returns.mean(axis=1)
    growth = np.prod(1 + market) ** (365 / 199) - 1
    betas = np.array([np.cov(returns[:, i], market)[0, 1] for i in range(2)]) / np.var(market, ddof=1)
    np.testing.assert_allclose(capm.expected_returns, 0.03 + betas * (growth - 0.03))
    decay = (1 - 2 / 501) ** np.arange(198, -1, -1)
    ema = estimate(aligned, "ema", "sample")
    np.testing.assert_allclose(ema.expected_returns, (1 + decay @ returns / decay.sum()) ** 365 - 1)


@pytest.mark.parametrize("covariance", ["sample", "exponential", "ledoit_wolf", "oas"])
def test_every_covariance_is_healthy_and_of_the_scale_of_the_sample(make_series: Make, covariance: str) -> None:
    series = [make_series(f"crypto:{name}", seed) for seed, name in enumerate("ABCD")]
    found = estimate(align_returns(series, AS_OF, 365), "mean", covariance)
    np.testing.assert_array_equal(found.covariance, found.covariance.T)
    assert found.smallest_eigenvalue > 0
    assert 1 <= found.condition_number < 100
    assert not found.is_repaired
    np.testing.assert_allclose(np.sqrt(np.diag(found.covariance)), 0.01 * 365**0.5, rtol=0.25)


def test_shrinkage_pulls_the_correlations_of_the_sample_together(make_series: Make) -> None:
    series = [make_series(f"crypto:{name}", seed) for seed, name in enumerate("ABCD")]
    aligned = align_returns(series, AS_OF, 365)
    sample, shrunk = estimate(aligned, "mean", "sample"), estimate(aligned, "mean", "ledoit_wolf")
    assert shrunk.condition_number < sample.condition_number


def test_a_singular_covariance_is_recorded(make_series: Make) -> None:
    one = make_series("crypto:A", 1)
    aligned = align_returns([one, replace(one, label="crypto:TWIN"), make_series("crypto:B", 2)], AS_OF, 365)
    found = estimate(aligned, "mean", "sample")
    assert found.condition_number == float("inf") or found.condition_number > 1e12
    assert found.smallest_eigenvalue == pytest.approx(0, abs=1e-12)


def test_a_covariance_that_is_not_a_number_is_refused() -> None:
    returns = np.zeros((30, 2))
    with pytest.raises(EstimationError, match="b"):
        make_estimates(("a", "b"), np.array([0.1, np.nan]), np.eye(2), returns, 252)
    with pytest.raises(EstimationError, match="no variance"):
        make_estimates(("a", "b"), np.array([0.1, 0.1]), np.diag([1.0, 0.0]), returns, 252)
