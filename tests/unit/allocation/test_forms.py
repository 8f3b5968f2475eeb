"""Forms of one asset count towards one target."""

from datetime import UTC, datetime
from decimal import Decimal

from assets.allocation.forms import counted_as, merged, names_of_held, relabelled
from assets.allocation.model import AllocationPolicy, GroupLimit, View
from assets.rebalancing.model import Holding
from assets.rebalancing.taxes import OpenLot

ON_ETHEREUM, ON_ARBITRUM, COIN = "eip155:1/slip44:60", "eip155:42161/slip44:60", "crypto:ETH"
ECONOMIC = {ON_ETHEREUM: COIN, ON_ARBITRUM: COIN}


def test_what_no_target_names_counts_towards_that_of_its_asset() -> None:
    held = [ON_ETHEREUM, ON_ARBITRUM, "crypto:BTC"]
    assert counted_as(held, {COIN, "etf:A"}, ECONOMIC) == {ON_ETHEREUM: COIN, ON_ARBITRUM: COIN}
    # a form that is named itself stands for itself, the asset comes before its forms, and these in order
    assert counted_as(held, {COIN, ON_ARBITRUM}, ECONOMIC) == {ON_ETHEREUM: COIN}
    assert counted_as([COIN], {ON_ARBITRUM, ON_ETHEREUM}, ECONOMIC) == {COIN: ON_ETHEREUM}
    assert counted_as(held, {"crypto:BTC"}, ECONOMIC) == {}


def test_several_forms_are_one_candidate_unless_limits_tell_them_apart() -> None:
    policy = AllocationPolicy("hrp", group_limits=(GroupLimit("asset_class", "crypto"),))
    assert names_of_held([ON_ETHEREUM, "crypto:BTC"], policy, ECONOMIC) == {ON_ETHEREUM, "crypto:BTC"}
    assert names_of_held([ON_ETHEREUM, ON_ARBITRUM, "crypto:BTC"], policy, ECONOMIC) == {COIN, "crypto:BTC"}
    by_chain = AllocationPolicy("hrp", group_limits=(GroupLimit("chain", "arbitrum"),))
    assert names_of_held([ON_ETHEREUM, ON_ARBITRUM], by_chain, ECONOMIC) == {ON_ETHEREUM, ON_ARBITRUM}
    viewed = AllocationPolicy("black_litterman", views=(View(ON_ARBITRUM, None, 0.1),))
    assert names_of_held([ON_ETHEREUM, ON_ARBITRUM], viewed, ECONOMIC) == {ON_ETHEREUM, ON_ARBITRUM}


def test_holdings_and_lots_go_under_the_name_of_the_target() -> None:
    held = [
        Holding(ON_ETHEREUM, Decimal(2), Decimal(20)),
        Holding("crypto:BTC", Decimal(1), Decimal(90)),
        Holding(COIN, Decimal(1), Decimal(10)),
    ]
    counted = {ON_ETHEREUM: COIN}
    assert merged(held, counted) == [held[1], Holding(COIN, Decimal(3), Decimal(30))]
    assert merged([held[0], Holding(COIN, Decimal(1), None)], counted) == [Holding(COIN, Decimal(3), None)]
    lot = OpenLot("a", ON_ETHEREUM, COIN, "l", datetime(2024, 1, 1, tzinfo=UTC), Decimal(2), Decimal(5))
    assert [one.instrument_id for one in relabelled([lot], counted)] == [COIN]
