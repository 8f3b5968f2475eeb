"""Value at risk by four methods against closed forms, numpy and scipy."""

import numpy as np
import pytest
from scipy import integrate, stats

from assets.allocation.population.risk import measure_series
from assets.risk.value_at_risk import (
    PATHS,
    Moments,
    cornish_fisher,
    draws,
    exceedances,
    historical,
    moments,
    monte_carlo,
    parametric,
)

SERIES = np.random.default_rng(7).standard_t(5, (3, 400)) * np.array([[1.0], [20.0], [300.0]])


def of(mean: float, deviation: float, skewness: float = 0.0, excess: float = 0.0, count: int = 250) -> Moments:
    return Moments(np.array([count]), *(np.array([value]) for value in (mean, deviation, skewness, excess)))


@pytest.mark.parametrize("confidence", [0.95, 0.99])
def test_historical_is_numpys_quantile_and_the_measures_own_shortfall(confidence: float) -> None:
    found = historical(SERIES, confidence)
    known = measure_series(SERIES, confidence=confidence)
    np.testing.assert_allclose(found.var, -np.quantile(SERIES, 1 - confidence, axis=1), rtol=1e-12)
    np.testing.assert_allclose(found.cvar, -known.expected_shortfall, rtol=1e-12)
    assert (found.low <= found.var).all()
    assert (found.var <= found.high).all()
    assert (found.cvar >= found.var).all()


def test_historical_leaves_missing_days_out() -> None:
    gappy = np.insert(SERIES[:1], [0, 100, 399], np.nan, axis=1)
    whole, part = historical(SERIES[:1], 0.95), historical(gappy, 0.95)
    for name in ("var", "cvar", "low", "high"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(part, name))


def test_the_interval_of_a_quantile_covers_it_as_often_as_it_says() -> None:
    series = np.random.default_rng(3).standard_normal((2000, 500))
    found = historical(series, 0.95)
    truth = -stats.norm.ppf(0.05)
    covered = ((found.low <= truth) & (truth <= found.high)).mean()
    assert 0.94 <= covered <= 0.985  # discrete: at least 95 %, less what chance takes


def test_the_interval_ends_at_binomial_ranks() -> None:
    # of 500 days one to ten may lie beyond the 99 % VaR
    fewest, most = exceedances(np.array([500, 40]), 0.01)
    assert (fewest[0], most[0]) == (stats.binom.ppf(0.025, 500, 0.01), stats.binom.ppf(0.975, 500, 0.01)) == (1, 10)
    found = historical(np.arange(40.0)[None], 0.99)
    assert fewest[1] == 0
    assert np.isnan(found.high)  # even none beyond it would be no surprise: nothing seen bounds it


def test_parametric_is_the_closed_form() -> None:
    found = parametric(of(0.1, 2.0), 0.99, 10)
    assert found.var[0] == pytest.approx(stats.norm.ppf(0.99) * 2 * np.sqrt(10) - 1, rel=1e-12)
    beyond = -stats.norm.expect(lambda x: x, ub=stats.norm.ppf(0.01), conditional=True)
    assert found.cvar[0] == pytest.approx(beyond * 2 * np.sqrt(10) - 1, rel=1e-7)
    ends = 2 * np.sqrt(10 * 249 / stats.chi2.ppf([0.975, 0.025], 249)) * stats.norm.ppf(0.99) - 1
    np.testing.assert_allclose([found.low[0], found.high[0]], ends, rtol=1e-9)


def test_cornish_fisher_without_shape_is_parametric() -> None:
    plain, expanded = parametric(of(0.1, 2.0), 0.95), cornish_fisher(of(0.1, 2.0), 0.95)
    for name in ("var", "cvar", "low", "high"):
        np.testing.assert_allclose(getattr(plain, name), getattr(expanded, name), rtol=1e-12)


def test_cornish_fisher_is_the_expansion_and_its_shortfall_the_tails_mean() -> None:
    skew, excess, tail = -0.3, 1.2, 0.01

    def quantile(probability: float) -> float:
        z = stats.norm.ppf(probability)
        return float(z + (z**2 - 1) * skew / 6 + (z**3 - 3 * z) * excess / 24 - (2 * z**3 - 5 * z) * skew**2 / 36)

    found = cornish_fisher(of(0.0, 1.0, skew, excess), 1 - tail)
    assert found.var[0] == pytest.approx(-quantile(tail), rel=1e-12)
    mean, _ = integrate.quad(quantile, 0, tail)
    assert found.cvar[0] == pytest.approx(-mean / tail, rel=1e-5)


def test_cornish_fisher_is_undefined_where_its_quantiles_cross() -> None:
    assert np.isnan(cornish_fisher(of(0.0, 1.0, 0.0, 20.0), 0.99).var)
    assert np.isnan(cornish_fisher(of(0.0, 1.0, 2.5, 0.0), 0.99).var)
    assert np.isfinite(cornish_fisher(of(0.0, 1.0, 0.0, 20.0), 0.99, 10).var)  # over ten days it is 2


@pytest.mark.parametrize(("skew", "excess"), [(0.0, 8.0), (0.5, 7.5), (-1.0, 3.0), (1.0, 1.3), (0.1, 0.0), (0.0, 8.1)])
def test_cornish_fisher_is_defined_where_its_quantiles_do_not_cross_the_ends_included(
    skew: float, excess: float
) -> None:
    """Maillard (2012): without skewness the domain is the excess kurtosis from 0 to 8, both ends in it."""
    z = np.linspace(-60, 60, 120_001)
    quantiles = z + (z**2 - 1) * skew / 6 + (z**3 - 3 * z) * excess / 24 - (2 * z**3 - 5 * z) * skew**2 / 36
    crosses = bool((np.diff(quantiles) < 0).any())
    assert np.isnan(cornish_fisher(of(0.0, 1.0, skew, excess), 0.99).var[0]) == crosses


def test_monte_carlo_is_seeded_and_comes_close_to_its_distribution() -> None:
    heavy = of(0.0, 1.0, 0.0, 6.0)  # five degrees of freedom
    ordered = draws(heavy, [1])
    np.testing.assert_array_equal(ordered, draws(heavy, [1]))
    assert (ordered != draws(heavy, [2])).any()
    assert (np.diff(ordered) > 0).all()
    found = monte_carlo(ordered, heavy, 0.99)
    exact = -stats.t.ppf(0.01, 5) * np.sqrt(3 / 5)
    assert found.low[0] <= exact <= found.high[0]
    assert found.var[0] == pytest.approx(exact, rel=0.1)
    normal = of(0.0, 1.0, 0.0, -0.5)
    assert monte_carlo(draws(normal, [1]), normal, 0.95).var[0] == pytest.approx(stats.norm.ppf(0.95), rel=0.05)


def test_the_worst_draws_are_those_of_so_many() -> None:
    """The k-th lowest of n uniform numbers has the distribution Beta(k, n + 1 - k)."""
    normal = Moments(*(np.full(2000, number) for number in (250, 0.0, 1.0, 0.0, 0.0)))
    uniform = stats.norm.cdf(draws(normal, range(2000)))
    for rank in (1, 50, 250):
        assert stats.kstest(uniform[:, rank - 1], stats.beta(rank, PATHS + 1 - rank).cdf).pvalue > 0.01


def test_moments_are_scipys() -> None:
    found = moments(np.where(np.arange(400) % 7 == 0, np.nan, SERIES))
    for row, series in enumerate(SERIES):
        kept = series[np.arange(400) % 7 != 0]
        assert found.count[row] == len(kept)
        assert found.deviation[row] == pytest.approx(kept.std(ddof=1), rel=1e-12)
        assert found.skewness[row] == pytest.approx(stats.skew(kept), rel=1e-9)
        assert found.excess[row] == pytest.approx(stats.kurtosis(kept), rel=1e-9)


def test_what_never_moves_has_no_risk() -> None:
    flat = np.zeros((1, 200))
    found = moments(flat)
    assert (found.deviation[0], found.skewness[0], found.excess[0]) == (0, 0, 0)
    for estimate in (
        historical(flat, 0.99), parametric(found, 0.99), cornish_fisher(found, 0.99),
        monte_carlo(draws(found, [1]), found, 0.99),
    ):  # fmt: skip
        assert (estimate.var[0], estimate.cvar[0]) == (0, 0)


@pytest.mark.parametrize("factor", [0.5, 3.0])
def test_twice_the_portfolio_is_twice_the_risk(factor: float) -> None:
    for estimate in (
        lambda gains: historical(gains, 0.95, 10),
        lambda gains: parametric(moments(gains), 0.95),
        lambda gains: cornish_fisher(moments(gains), 0.95),
        lambda gains: monte_carlo(draws(moments(gains), [1, 2, 3]), moments(gains), 0.95),
    ):
        np.testing.assert_allclose(estimate(SERIES * factor).var, factor * estimate(SERIES).var, rtol=1e-9)
        np.testing.assert_allclose(estimate(SERIES * factor).cvar, factor * estimate(SERIES).cvar, rtol=1e-9)
