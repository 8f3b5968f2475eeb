"""Suggestions by hand-checkable cases."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import numpy as np
import pytest

from assets.rebalancing.drifting import position
from assets.rebalancing.model import Covariance, Holding, Quote, Suggestion, Terms
from assets.rebalancing.suggesting import Market, settled
from assets.rebalancing.taxes import SaleEffect

NO_MARKET = Market()


def suggest(
    holdings: Sequence[Holding],
    targets: Mapping[str, float],
    quotes: Mapping[str, Quote],
    band: float,
    *,
    market: Market = NO_MARKET,
    left_out: Mapping[str, str] | None = None,
    needs_funding: bool = True,
) -> tuple[Suggestion, ...]:
    """What a run does for one portfolio."""
    found = position(holdings, targets, quotes, band, left_out=left_out, needs_funding=needs_funding)
    return () if found is None else settled(found, quotes, market, "fiat:EUR")


def holding(name: str, quantity: str, value: str | None) -> Holding:
    return Holding(name, Decimal(quantity), None if value is None else Decimal(value))


def quote(price: str, usd: str | None = "same", problem: str | None = None) -> Quote:
    price_usd = price if usd == "same" else usd
    return Quote(Decimal(price), None if price_usd is None else Decimal(price_usd), problem)


def by_name(rows: tuple[Suggestion, ...]) -> dict[str, Suggestion]:
    return {row.instrument_id: row for row in rows}


HELD = [holding("crypto:BTC", "0.02", "600"), holding("equity:X", "10", "400")]
QUOTES = {"crypto:BTC": quote("30000"), "equity:X": quote("40"), "equity:Y": quote("50")}


def test_sell_what_is_above_and_buy_what_is_below() -> None:
    rows = by_name(suggest(HELD, {"crypto:BTC": 0.3, "equity:X": 0.4, "equity:Y": 0.3}, QUOTES, 0.05))
    assert set(rows) == {"crypto:BTC", "equity:Y"}
    sell, buy = rows["crypto:BTC"], rows["equity:Y"]
    assert (sell.action, sell.quantity, sell.value_usd) == ("sell", Decimal("0.01"), Decimal("300"))
    assert (buy.action, buy.quantity, buy.value_usd) == ("buy", Decimal("6"), Decimal("300"))
    assert sell.current_weight == Decimal("0.6")
    assert sell.target_weight == Decimal("0.3")
    assert (buy.current_weight, buy.target_weight) == (0, Decimal("0.3"))
    assert (sell.estimated_cost_usd, sell.expected_gain_usd) == (None, None)  # nothing is known of its market
    assert sell.cost_method == "spread unknown; impact unknown: no volume"
    assert sell.reason == (
        "Its weight of 60.00 % is 30.00 points above its target of 30.00 %, outside the band of 5 points."
    )


@pytest.mark.parametrize(("band", "count"), [(0.1, 0), (0.0999, 2), (0.0, 2)])
def test_only_drift_above_the_band_is_traded(band: float, count: int) -> None:
    assert len(suggest(HELD, {"crypto:BTC": 0.5, "equity:X": 0.5}, QUOTES, band)) == count


def test_at_the_target_nothing_is_done_even_without_a_band() -> None:
    assert suggest(HELD, {"crypto:BTC": 0.6, "equity:X": 0.4}, QUOTES, 0.0) == ()


def test_what_has_no_target_is_sold_entirely() -> None:
    held = [holding("crypto:BTC", "0.0200000000000001", "600"), holding("equity:X", "10", "400")]
    rows = by_name(suggest(held, {"equity:X": 1.0}, QUOTES, 0.05))
    assert rows["crypto:BTC"].quantity == Decimal("0.0200000000000001")
    assert rows["equity:X"].quantity == Decimal("15")


def test_cash_pays_and_is_not_traded() -> None:
    held = [*HELD, holding("fiat:USD", "1000", "1000")]
    rows = by_name(suggest(held, {"crypto:BTC": 0.4, "equity:X": 0.4, "fiat:USD": 0.2}, QUOTES, 0.05))
    # of 2000: bitcoin from 600 to 800, X from 400 to 800, paid by 600 of the 1000 in cash
    assert {name: float(row.value_usd or 0) for name, row in rows.items()} == pytest.approx(
        {"crypto:BTC": 200, "equity:X": 400}
    )
    assert {row.action for row in rows.values()} == {"buy"}


def test_purchases_without_funding_are_scaled_down_together() -> None:
    held = [holding("equity:X", "10", "400"), holding("equity:Y", "10", "500"), holding("fiat:USD", "100", "100")]
    # X needs 400 more; Y is 50 too high: inside the band, so it is not sold; cash has 100
    rows = by_name(suggest(held, {"equity:X": 0.55, "equity:Y": 0.45}, QUOTES, 0.05))
    assert set(rows) == {"equity:X"}
    assert rows["equity:X"].value_usd == Decimal(100)
    assert "Cash and sales pay for 66.7 % of it" in rows["equity:X"].reason
    outside = by_name(suggest(held, {"equity:X": 0.55, "equity:Y": 0.45}, QUOTES, 0.05, needs_funding=False))
    assert outside["equity:X"].value_usd == Decimal(150)


@pytest.mark.parametrize(
    ("debt", "bought", "cash_after"),
    # of 1,000 held Y lacks 300: 100 come from X; of 200 in euro what is owed in dollars is not there to be spent
    [("0", 300, 0), ("-50", 250, 0), ("-200", 100, 0), ("-350", 100, -150)],
)
def test_what_is_owed_is_not_spent_and_sales_still_pay_for_purchases(debt: str, bought: int, cash_after: int) -> None:
    held = [holding("equity:X", "15", "600"), holding("equity:Y", "4", "200"), holding("fiat:EUR", "200", "200")]
    owed = [holding("fiat:USD", "-400", debt)] if debt != "0" else []
    rows = by_name(suggest([*held, *owed], {"equity:X": 0.5, "equity:Y": 0.5}, QUOTES, 0.05))
    assert {name: (row.action, row.value_usd, row.cash_after_base) for name, row in rows.items()} == {
        "equity:X": ("sell", 100, cash_after), "equity:Y": ("buy", bought, cash_after),
    }  # fmt: skip


def test_a_purchase_that_nothing_pays_for_is_a_hold() -> None:
    held = [holding("equity:X", "10", "400"), holding("equity:Y", "12", "600")]
    targets = {"equity:X": 0.36, "equity:Y": 0.56, "crypto:BTC": 0.08}
    (row,) = suggest(held, targets, QUOTES, 0.05)
    assert (row.instrument_id, row.action, row.quantity) == ("crypto:BTC", "hold", None)
    assert "no cash and no sale to pay for it." in row.reason


def test_a_price_is_never_invented() -> None:
    held = [*HELD, holding("custom:FLAT", "1", None)]
    quotes = {"crypto:BTC": quote("30000", problem="its price is 9 days old, the limit is 2"), "equity:X": quote("40")}
    rows = by_name(suggest(held, {"crypto:BTC": 0.2, "equity:X": 0.4, "equity:NEW": 0.4}, quotes, 0.05))
    assert {name: (row.action, row.quantity, row.reason) for name, row in rows.items()} == {
        "crypto:BTC": ("hold", None, "Not traded: its price is 9 days old, the limit is 2."),
        "custom:FLAT": ("hold", None, "Not traded: there is no price to trade at."),
        "equity:NEW": ("hold", None, "Not traded: there is no price to trade at."),
    }
    assert rows["custom:FLAT"].current_weight is None


def test_without_a_rate_to_dollars_the_quantity_stands_and_the_dollars_are_unknown() -> None:
    quotes = {"crypto:BTC": quote("30000", usd=None), "equity:X": quote("40", usd="44")}
    rows = by_name(suggest(HELD, {"crypto:BTC": 0.5, "equity:X": 0.5}, quotes, 0.05))
    assert rows["crypto:BTC"].quantity is not None
    assert rows["crypto:BTC"].value_usd is None
    assert rows["crypto:BTC"].estimated_cost_usd is None
    assert rows["equity:X"].value_usd == Decimal("110")


def test_what_the_optimiser_left_out_is_kept_and_the_rest_shares_what_remains() -> None:
    held = [*HELD, holding("custom:FLAT", "1", "1000")]
    targets = {"crypto:BTC": 0.5, "equity:X": 0.5}
    rows = by_name(suggest(held, targets, QUOTES, 0.01, left_out={"custom:FLAT": "too_sparse"}))
    assert rows["custom:FLAT"].action == "hold"
    assert rows["custom:FLAT"].reason == "Kept as it is: too_sparse."
    assert rows["crypto:BTC"].target_weight == 0.25
    assert float(rows["crypto:BTC"].value_usd or 0) == pytest.approx(100)


def test_borrowed_positions_are_left_alone() -> None:
    held = [*HELD, holding("equity:Y", "-2", "-100")]
    rows = by_name(suggest(held, {"crypto:BTC": 0.6, "equity:X": 0.4}, QUOTES, 0.05))
    assert set(rows) == {"equity:Y"}
    assert rows["equity:Y"].reason == "Not rebalanced: it is short or borrowed."


def test_nothing_of_value_means_nothing_to_do() -> None:
    assert suggest([], {"equity:X": 1.0}, QUOTES, 0.05) == ()
    assert suggest([holding("equity:X", "1", None)], {"equity:X": 1.0}, QUOTES, 0.05) == ()


# Two assets of 20 % volatility a year that do not move together.
RISK = Covariance(("equity:X", "equity:Y"), np.diag([0.04, 0.04]))
TWO = [holding("equity:X", "15", "600"), holding("equity:Y", "8", "400")]
EVEN = {"equity:X": 0.5, "equity:Y": 0.5}


def test_costs_and_gain_by_hand() -> None:
    terms = {name: Terms(spread=0.001, daily_volatility=0.02, daily_volume=1000.0) for name in RISK.labels}
    market = Market(terms, covariance=lambda: RISK)
    rows = by_name(suggest(TWO, EVEN, QUOTES, 0.05, market=market))
    sell = rows["equity:X"]
    # 100 of 1000: 2.5 units of 40, half of 10 basis points; 0.02 x sqrt(2.5 / 1000) = 0.1 % moved
    assert (sell.quantity, sell.value_usd) == (Decimal("2.5"), Decimal(100))
    assert sell.spread_cost_usd == Decimal("0.05")
    assert float(sell.impact_cost_usd or 0) == pytest.approx(0.1)
    assert float(sell.estimated_cost_usd or 0) == pytest.approx(0.15)
    # together 2.5 / 2 x (0.04 x 0.1 x 0.1 twice) of 1000; both have the same left after their costs
    gains = [float(rows[name].expected_gain_usd or 0) for name in RISK.labels]
    costs = [float(rows[name].estimated_cost_usd or 0) for name in RISK.labels]
    assert sum(gains) == pytest.approx(1.0)
    assert gains[0] - costs[0] == pytest.approx(gains[1] - costs[1])
    assert sell.cash_after_base == 0


def test_a_trade_that_costs_more_than_it_wins_is_a_hold_and_what_it_would_have_paid_for_too() -> None:
    # selling 100 costs half of 2.2 %, and the switch wins 1.00 in all
    dear = Market({"equity:X": Terms(spread=0.022), "equity:Y": Terms(spread=0.0)}, covariance=lambda: RISK)
    rows = by_name(suggest(TWO, EVEN, QUOTES, 0.05, market=dear))
    assert {name: row.action for name, row in rows.items()} == {"equity:X": "hold", "equity:Y": "hold"}
    assert rows["equity:X"].reason.endswith(
        "Not sold: it costs 1.10 EUR, more than the 1.05 EUR that its lower risk is worth in a year."
    )
    assert rows["equity:Y"].reason.endswith("Not bought: there is no cash and no sale to pay for it.")
    cheap = Market({"equity:X": Terms(spread=0.0198), "equity:Y": Terms(spread=0.0)}, covariance=lambda: RISK)
    assert {row.action for row in suggest(TWO, EVEN, QUOTES, 0.05, market=cheap)} == {"sell", "buy"}


@pytest.mark.parametrize(("tax", "actions"), [("0.91", {"hold"}), ("0.89", {"sell", "buy"}), ("-9", {"sell", "buy"})])
def test_tax_counts_as_cost_and_a_loss_does_not_pay_for_a_sale(tax: str, actions: set[str]) -> None:
    def sell(name: str, quantity: Decimal, price: Decimal) -> SaleEffect:
        assert (name, quantity, price) == ("equity:X", Decimal("2.5"), Decimal(40))
        return SaleEffect(Decimal(3), Decimal(3), Decimal(0), Decimal(tax))

    market = Market({name: Terms(spread=0.001) for name in RISK.labels}, sell, lambda: RISK)
    rows = suggest(TWO, EVEN, QUOTES, 0.05, market=market)
    assert {row.action for row in rows} == actions
    if "sell" in actions:
        assert (rows[0].realized_gain_base, rows[0].estimated_tax_base) == (3, Decimal(tax))
        assert rows[1].realized_gain_base is None


def test_a_switch_between_two_that_move_together_is_made_although_more_of_both_is_wanted() -> None:
    # too much cash: the sale alone would lead further away, and its money does more in Y
    held = [holding("equity:X", "10", "400"), holding("equity:Y", "4", "200"), holding("fiat:USD", "400", "400")]
    together = Covariance(("equity:X", "equity:Y"), np.array([[0.04, 0.036], [0.036, 0.04]]))
    terms = {name: Terms(spread=0.001) for name in together.labels}
    targets = {"equity:X": 0.2, "equity:Y": 0.8}
    rows = by_name(suggest(held, targets, QUOTES, 0.05, market=Market(terms, covariance=lambda: together)))
    assert {name: row.action for name, row in rows.items()} == {"equity:X": "sell", "equity:Y": "buy"}
    # d = (0.2, -0.6): 2.5 / 2 x d'Sd of 1000
    won = sum(float(row.expected_gain_usd or 0) for row in rows.values())
    assert won == pytest.approx(1250 * (0.04 * 0.2**2 + 0.04 * 0.6**2 - 2 * 0.036 * 0.2 * 0.6))


def test_a_dear_loss_making_sale_is_not_made_for_its_tax() -> None:
    market = Market(
        {"equity:X": Terms(spread=0.022)},
        lambda *_: SaleEffect(Decimal(-50), tax=Decimal(-20)),
        covariance=lambda: RISK,
    )
    assert {row.action for row in suggest(TWO, EVEN, QUOTES, 0.05, market=market)} == {"hold"}


def test_whole_lots_and_what_is_left() -> None:
    terms = {"equity:X": Terms(lot=Decimal(1)), "equity:Y": Terms(lot=Decimal(1))}
    rows = by_name(suggest(TWO, EVEN, QUOTES, 0.05, market=Market(terms)))
    # 100 would be 2.5 of X: 2 are sold for 80, which buy one Y for 50
    assert (rows["equity:X"].quantity, rows["equity:Y"].quantity) == (2, 1)
    assert rows["equity:Y"].cash_after_base == 30
    assert "Cash and sales pay for 80.0 % of it" in rows["equity:Y"].reason


def test_less_than_one_lot_is_a_hold() -> None:
    rows = by_name(suggest(TWO, EVEN, QUOTES, 0.05, market=Market({"equity:X": Terms(lot=Decimal(10))})))
    assert rows["equity:X"].action == "hold"
    assert rows["equity:X"].reason.endswith("Not sold: it is less than one lot of 10.")
    assert rows["equity:Y"].reason.endswith("Not bought: there is no cash and no sale to pay for it.")


def test_a_fine_lot_beside_a_whole_one() -> None:
    held = [holding("fiat:USD", "1000", "1000")]
    terms = {"crypto:BTC": Terms(lot=Decimal("1e-8")), "equity:X": Terms(lot=Decimal(1))}
    rows = by_name(suggest(held, {"crypto:BTC": 0.5, "equity:X": 0.5}, QUOTES, 0.05, market=Market(terms)))
    assert rows["crypto:BTC"].quantity == Decimal("0.01666666")
    assert rows["equity:X"].quantity == 12


def test_a_purchase_that_adds_risk_says_so_with_its_money_readable() -> None:
    # money from outside pays; X, kept inside its band, already carries more of the same risk than the targets do
    held = [holding("equity:X", "15000", "600000"), holding("fiat:EUR", "400000", "400000")]
    alike = Covariance(("equity:X", "equity:Y"), np.array([[0.16, 0.16], [0.16, 0.16]]))
    market = Market({"equity:Y": Terms(spread=0.01)}, covariance=lambda: alike)
    targets = {"equity:X": 0.51, "equity:Y": 0.11, "fiat:EUR": 0.38}
    (row,) = suggest(held, targets, QUOTES, 0.1, market=market, needs_funding=False)
    assert (row.instrument_id, row.action) == ("equity:Y", "hold")
    # half of 1 % of 110,000; 2.5 / 2 x 0.16 x (0.09^2 - 0.02^2) of a million
    assert row.reason == (
        "Its weight of 0.00 % is 11.00 points below its target of 11.00 %, outside the band of 10 points."
        " Not bought: it costs 550.00 EUR and leads to more risk, worth a loss of 1,540.00 EUR in a year."
    )
