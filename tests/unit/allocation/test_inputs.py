"""Panels that portfolios share, against the alignment of each portfolio alone."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from assets.allocation.estimates import PriceSeries, align_returns
from assets.allocation.inputs import Histories, Universe
from assets.allocation.model import EstimationError

AS_OF = date(2024, 6, 30)
Make = Callable[..., PriceSeries]


@pytest.fixture
def series(make_series: Make) -> dict[str, PriceSeries]:
    coins = [make_series(f"crypto:{name}", seed, days=300) for seed, name in enumerate("ABCD")]
    stocks = [
        make_series(f"equity:{name}", 10 + seed, days=300, business_days=True, annualization_days=252)
        for seed, name in enumerate("XY")
    ]
    holed = make_series("crypto:HOLED", 20, days=300)
    holed.prices[50:60] = np.nan
    young = make_series("crypto:YOUNG", 21, days=100)
    stale = make_series("crypto:STALE", 22, days=300)
    stale = replace(stale, dates=stale.dates[:-9], prices=stale.prices[:-9], quote_prices=stale.quote_prices[:-9])
    return {item.label: item for item in [*coins, *stocks, holed, young, stale]}


CANDIDATES = [
    ("crypto:A", "crypto:B"),
    ("crypto:A", "crypto:C", "crypto:STALE"),
    ("crypto:A", "equity:X"),
    ("crypto:D", "equity:X", "equity:Y"),
    ("crypto:B", "crypto:HOLED"),
    ("crypto:A", "crypto:YOUNG"),
    ("crypto:YOUNG",),
    ("equity:Y",),
]


@pytest.mark.parametrize("lookback", [90, 365])
def test_a_part_of_a_panel_is_what_the_portfolio_would_be_alone(series: dict[str, PriceSeries], lookback: int) -> None:
    histories = Histories(AS_OF, series)
    universes = [histories.universe(candidates, lookback) for candidates in CANDIDATES]
    panels: dict[tuple[object, ...], list[Universe]] = {}
    for universe in universes:
        panels.setdefault(universe.panel, []).append(universe)
    assert len(panels) < len(universes)
    for sharing in panels.values():
        panel = histories.panel(sharing)
        for universe in sharing:
            members = panel.members(universe)
            part = panel.part(universe, members)
            candidates = CANDIDATES[universes.index(universe)]
            alone = align_returns([series[name] for name in candidates], AS_OF, lookback)
            assert (part.labels, part.frequency, part.exclusions) == (alone.labels, alone.frequency, alone.exclusions)
            np.testing.assert_array_equal(part.dates, alone.dates)
            np.testing.assert_array_equal(part.returns, alone.returns)
            by_itself = Histories(AS_OF, series)
            own = by_itself.universe(candidates, lookback)
            own_panel = by_itself.panel([own])
            own_members = own_panel.members(own)
            assert panel.version(universe, members, ("mean",)) == own_panel.version(own, own_members, ("mean",))
            assert panel.missing_share(members) == own_panel.missing_share(own_members)


def test_a_version_tells_what_was_left_out_and_how_it_was_estimated(series: dict[str, PriceSeries]) -> None:
    histories = Histories(AS_OF, series)
    plain = histories.universe(("crypto:A", "crypto:B"), 365)
    more = histories.universe(("crypto:A", "crypto:B", "crypto:NEVER"), 365)
    assert [item.code for item in more.exclusions] == ["no_history"]
    panel = histories.panel([plain, more])
    members = panel.members(plain)
    versions = {
        panel.version(plain, members, ("mean", "oas")),
        panel.version(more, members, ("mean", "oas")),
        panel.version(plain, members, ("mean", "sample")),
    }
    assert len(versions) == 3


def test_missing_days_are_a_share_of_the_days_that_any_was_observed(make_series: Make) -> None:
    holed = make_series("crypto:HOLED", 1, days=100)
    holed.prices[50:60] = np.nan
    whole = make_series("crypto:WHOLE", 2, days=100)
    histories = Histories(AS_OF, {item.label: item for item in (holed, whole)})
    universe = histories.universe(("crypto:HOLED", "crypto:WHOLE"), 365)
    panel = histories.panel([universe])
    assert panel.missing_share(panel.members(universe)) == pytest.approx(10 / 200)


def test_nothing_usable_names_the_reasons(series: dict[str, PriceSeries]) -> None:
    with pytest.raises(EstimationError, match=r"crypto:STALE: stale .*; crypto:NEVER: no_history"):
        Histories(AS_OF, series).universe(("crypto:NEVER", "crypto:STALE"), 365)
