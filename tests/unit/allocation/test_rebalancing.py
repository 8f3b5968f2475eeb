"""Suggestions by hand-checkable cases."""

from decimal import Decimal

import pytest

from assets.allocation.rebalancing import Holding, Quote, Suggestion, suggest


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
    assert sell.current_weight == 0.6
    assert sell.target_weight == 0.3
    assert (buy.current_weight, buy.target_weight) == (0, 0.3)
    assert sell.estimated_cost_usd == Decimal("0.3")  # 10 basis points
    assert sell.reason == "weight 60.00 % is 30.00 points above its target 30.00 %, band 5"


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
    assert "cash and sales pay for 66.7 % of it" in rows["equity:X"].reason
    outside = by_name(suggest(held, {"equity:X": 0.55, "equity:Y": 0.45}, QUOTES, 0.05, needs_funding=False))
    assert outside["equity:X"].value_usd == Decimal(150)


def test_a_purchase_that_nothing_pays_for_is_a_hold() -> None:
    held = [holding("equity:X", "10", "400"), holding("equity:Y", "12", "600")]
    targets = {"equity:X": 0.36, "equity:Y": 0.56, "crypto:BTC": 0.08}
    (row,) = suggest(held, targets, QUOTES, 0.05)
    assert (row.instrument_id, row.action, row.quantity) == ("crypto:BTC", "hold", None)
    assert "no cash and no sale to pay for it" in row.reason


def test_a_price_is_never_invented() -> None:
    held = [*HELD, holding("custom:FLAT", "1", None)]
    quotes = {"crypto:BTC": quote("30000", problem="its price is 9 days old, limit 2"), "equity:X": quote("40")}
    rows = by_name(suggest(held, {"crypto:BTC": 0.2, "equity:X": 0.4, "equity:NEW": 0.4}, quotes, 0.05))
    assert {name: (row.action, row.quantity, row.reason) for name, row in rows.items()} == {
        "crypto:BTC": ("hold", None, "its price is 9 days old, limit 2"),
        "custom:FLAT": ("hold", None, "no price to trade at"),
        "equity:NEW": ("hold", None, "no price to trade at"),
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
    assert rows["custom:FLAT"].reason == "kept as it is: too_sparse"
    assert rows["crypto:BTC"].target_weight == 0.25
    assert float(rows["crypto:BTC"].value_usd or 0) == pytest.approx(100)


def test_borrowed_positions_are_left_alone() -> None:
    held = [*HELD, holding("equity:Y", "-2", "-100")]
    rows = by_name(suggest(held, {"crypto:BTC": 0.6, "equity:X": 0.4}, QUOTES, 0.05))
    assert set(rows) == {"equity:Y"}
    assert rows["equity:Y"].reason == "short or borrowed: not rebalanced"


def test_nothing_of_value_means_nothing_to_do() -> None:
    assert suggest([], {"equity:X": 1.0}, QUOTES, 0.05) == ()
    assert suggest([holding("equity:X", "1", None)], {"equity:X": 1.0}, QUOTES, 0.05) == ()
