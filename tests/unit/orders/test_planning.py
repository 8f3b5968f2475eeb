"""Which suggestions become orders, by hand."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from assets.accounts.codes import Codes
from assets.orders.model import Known, Money, PlannedOrder
from assets.orders.planning import alpaca_symbol, client_order_id, make_orders

AS_OF = datetime(2026, 1, 5, 15, tzinfo=UTC)
CODES = Codes({"SPY": "etf:SPY"})


def planned(name: str, side: str, quantity: str, value: str | None, order_id: str = "") -> PlannedOrder:
    usd = None if value is None else Decimal(value)
    return PlannedOrder(order_id or f"id-{name}", "p", name, side, Decimal(quantity), usd, 1)


def known(name: str, status: str, filled: str = "0", order_id: str = "old", minutes: int = 0) -> Known:
    return Known(order_id, name, status, Decimal(filled), AS_OF + timedelta(minutes=minutes))


def test_an_id_follows_from_what_is_suggested_and_from_nothing_else() -> None:
    first = client_order_id(3, AS_OF, "p", "equity:A", "buy")
    assert first == client_order_id(3, AS_OF, "p", "equity:A", "buy")
    others = [
        client_order_id(4, AS_OF, "p", "equity:A", "buy"), client_order_id(3, AS_OF + timedelta(1), "p", "equity:A", "buy"),
        client_order_id(3, AS_OF, "q", "equity:A", "buy"), client_order_id(3, AS_OF, "p", "equity:B", "buy"),
        client_order_id(3, AS_OF, "p", "equity:A", "sell"),
    ]  # fmt: skip
    assert len({first, *others}) == 6
    assert len(first) <= 48


def test_sales_first_fractions_by_money_and_purchases_within_what_is_there() -> None:
    plan = [
        planned("etf:SPY", "buy", "0.123456789", "61.728"), planned("equity:BRK-B", "buy", "2", "9000"),
        planned("crypto:BTC", "buy", "0.1", "6000"), planned("equity:A", "sell", "1.23456789012", "100"),
        planned("equity:GONE", "sell", "3", "30"), planned("equity:B", "sell", "5", "50"),
    ]  # fmt: skip
    held = {"A": Decimal(2), "B": Decimal("4.5")}
    orders, skipped = make_orders(plan, [], Money(Decimal(10000), held), CODES, AS_OF)
    assert [(o.planned.side, o.symbol, o.quantity, o.notional_usd) for o in orders] == [
        ("sell", "A", Decimal("1.234567890"), None),
        ("sell", "B", Decimal("4.5"), None),
        ("buy", "BRK.B", Decimal(2), None),
        ("buy", "SPY", None, Decimal("61.72")),
    ]
    assert {one.instrument_id: one.reason for one in skipped} == {
        "equity:GONE": "the account holds none of it",
        "crypto:BTC": "needs 6,000.00 USD and 1,000.00 USD are there: call again when sales are filled",
    }


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        ([], None),
        ([known("equity:A", "pending", order_id="id-equity:A")], None),
        ([known("equity:A", "refused", order_id="id-equity:A")], None),
        ([known("equity:A", "accepted", order_id="id-equity:A")], "sent already: accepted"),
        ([known("equity:A", "filled", "1", order_id="id-equity:A", minutes=-9)], "sent already: filled"),
        ([known("equity:A", "partially_filled", "1")], "another order of it is open: partially_filled"),
        ([known("equity:A", "pending")], "another order of it is open: pending"),
        (
            [known("equity:A", "filled", "1", minutes=5)],
            "an order of it was filled after what the suggestion describes",
        ),
        ([known("equity:A", "canceled", "0", minutes=5)], None),
        ([known("equity:A", "filled", "1", minutes=-5)], None),
        ([known("equity:B", "accepted")], None),
    ],
)
def test_what_holds_an_order_back(before: list[Known], reason: str | None) -> None:
    plan = [planned("equity:A", "buy", "1", "10")]
    orders, skipped = make_orders(plan, before, Money(Decimal(100)), CODES, AS_OF)
    assert len(orders) == (reason is None)
    assert [one.reason.startswith(reason or "") for one in skipped] == ([] if reason is None else [True])


@pytest.mark.parametrize(
    ("instrument", "symbol"),
    [
        ("equity:AAPL", "AAPL"),
        ("equity:BRK-B", "BRK.B"),
        ("etf:SPY", "SPY"),
        ("etf:VTI", ""),  # its position would be read as equity:VTI
        ("equity:SPY", ""),
        ("crypto:BTC", "BTC/USD"),
        ("custom:house", ""),
        ("eip155:1/slip44:60", ""),
        ("fiat:USD", ""),
    ],
)
def test_symbols_are_those_that_read_back_as_the_same(instrument: str, symbol: str) -> None:
    assert alpaca_symbol(instrument, CODES) == symbol


def test_less_than_a_dollar_or_of_unknown_value_is_not_bought() -> None:
    plan = [planned("equity:A", "buy", "0.01", "0.9"), planned("equity:B", "buy", "0.5", None)]
    orders, skipped = make_orders(plan, [], Money(Decimal(100)), CODES, AS_OF)
    assert not orders
    assert {one.reason for one in skipped} == {"less than a dollar, or no value in USD"}
