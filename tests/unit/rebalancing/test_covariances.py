"""Covariances that portfolios share, against those of each portfolio alone."""

from datetime import date

import numpy as np
import pytest

from assets.allocation.estimates import PriceSeries, align_returns, estimate
from assets.allocation.inputs import Histories
from assets.rebalancing.covariances import LOOKBACK_DAYS, SharedCovariances

AS_OF = date(2024, 6, 30)


def walk(name: str, seed: int, days: int = 300, *, is_business: bool = False) -> PriceSeries:
    last = np.datetime64(AS_OF, "D")
    dates = np.arange(last - np.timedelta64(days - 1, "D"), last + np.timedelta64(1, "D"), dtype="datetime64[D]")
    prices = 100 * np.cumprod(1 + np.random.default_rng(seed).normal(0.0005, 0.01, days))
    if is_business:
        dates, prices = dates[np.is_busday(dates)], prices[np.is_busday(dates)]
    return PriceSeries(name, dates, prices, prices, 252 if is_business else 365, 5)


COINS = {name: walk(name, seed) for seed, name in enumerate(["crypto:A", "crypto:B", "crypto:C"])}
STOCKS = {name: walk(name, 10 + seed, is_business=True) for seed, name in enumerate(["equity:X", "equity:Y"])}
YOUNG = {"crypto:YOUNG": walk("crypto:YOUNG", 20, days=120)}


@pytest.mark.parametrize(
    "names",
    [
        ("crypto:A", "crypto:C"),
        ("crypto:B",),
        ("equity:X", "equity:Y"),
        ("crypto:A", "equity:Y", "fiat:USD"),
        ("crypto:A", "crypto:YOUNG"),
        ("crypto:YOUNG",),
    ],
)
@pytest.mark.parametrize("is_shared", [True, False])
def test_the_bits_are_those_of_the_portfolio_alone(
    names: tuple[str, ...], is_shared: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("assets.rebalancing.covariances._OWN_COST", 100 if is_shared else -100)
    series = COINS | STOCKS | YOUNG
    found = SharedCovariances(Histories(AS_OF, series)).of(names)
    alone = [name for name in names if not name.startswith("fiat:")]
    aligned = align_returns([series[name] for name in alone], AS_OF, LOOKBACK_DAYS)
    expected = estimate(aligned, "mean", "ledoit_wolf")
    assert found is not None
    assert found.labels == expected.labels
    np.testing.assert_array_equal(found.matrix, expected.covariance)


def test_histories_that_come_later_are_known() -> None:
    series = {**COINS}
    shared = SharedCovariances(Histories(AS_OF, series))
    first = shared.of(["crypto:A", "crypto:B"])
    series["crypto:D"] = walk("crypto:D", 30)
    later = shared.of(["crypto:A", "crypto:D"])
    again = shared.of(["crypto:A", "crypto:B"])
    assert first is not None
    assert later is not None
    assert again is not None
    assert later.labels == ("crypto:A", "crypto:D")
    np.testing.assert_array_equal(first.matrix, again.matrix)


def test_without_a_usable_history_there_is_none() -> None:
    shared = SharedCovariances(Histories(AS_OF, COINS))
    assert shared.of(["fiat:USD"]) is None
    assert shared.of(["crypto:UNKNOWN"]) is None


def test_many_at_once_have_the_bits_of_each_alone_and_one_without_histories_harms_no_other(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked = [["crypto:A", "crypto:B"], ["crypto:UNKNOWN"], ["equity:X", "crypto:C"], ["crypto:C", "fiat:USD"]]
    alone = [SharedCovariances(Histories(AS_OF, COINS | STOCKS)).of(names) for names in asked]
    for cost in (-100, 1_000):
        monkeypatch.setattr("assets.rebalancing.covariances._OWN_COST", cost)
        found = SharedCovariances(Histories(AS_OF, COINS | STOCKS)).of_each(asked)
        assert [one is None for one in found] == [False, True, False, False]
        for one, own in zip(found, alone, strict=True):
            if one is not None and own is not None:
                assert one.labels == own.labels
                np.testing.assert_array_equal(one.matrix, own.matrix)


def test_what_was_unknown_is_looked_at_again_when_there_are_more_histories() -> None:
    series = {**COINS}
    histories = Histories(AS_OF, series)
    before = histories.universe(["crypto:A", "crypto:D"], LOOKBACK_DAYS)
    series["crypto:D"] = walk("crypto:D", 30)
    after = histories.universe(["crypto:A", "crypto:D"], LOOKBACK_DAYS)
    assert (before.labels, [item.code for item in before.exclusions]) == (("crypto:A",), ["no_history"])
    assert (after.labels, after.exclusions) == (("crypto:A", "crypto:D"), ())
