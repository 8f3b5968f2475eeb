"""Fees in a third asset where the trade has no cost and no proceeds that could take them: each counts once, as a fee.

Belongs here: trades in money without a rate, of something without a price, of money itself. Must not be here: fees that
cost or proceeds take (test_trades, test_golden).
"""

from decimal import Decimal as D

import pytest

from assets.ledger.model import Instrument
from tests.unit.ledger.ledgers import BTC, ETH, EUR, USD, Ledger, book, check_lots, codes, entries, flows

GBP, UNPRICED = "fiat:GBP", "custom:unpriced"
PRICES = book([(BTC, "2024-01-01", 100, EUR), (ETH, "2024-01-01", 10, EUR)], [(USD, EUR, "2024-01-01", "0.5")])
FEE = {"fee": "0.3", "fee_currency": ETH}


def holder_of_gas(cash_mode: str, **choices: object) -> Ledger:
    """Ten ETH at 10 EUR, their price ever after; 0.3 of them as a fee are 3 EUR."""
    ledger = Ledger(PRICES, cash_mode=cash_mode, **choices).add("2024-01-01", "DEPOSIT", ETH, 10)
    return ledger if cash_mode == "implicit" else ledger.add("2024-01-01", "DEPOSIT", EUR, 1000)


@pytest.mark.parametrize("cash_mode", ["implicit", "ledger"])
@pytest.mark.parametrize("allow_short", [False, True])
def test_a_sale_of_what_was_never_acquired_in_money_without_a_rate(cash_mode: str, allow_short: bool) -> None:
    ledger = holder_of_gas(cash_mode, allow_short=allow_short)
    books = ledger.add("2024-01-02", "SELL", UNPRICED, 5, price=7, currency=GBP, **FEE).run()
    assert (entries(books, "fee"), entries(books, "trade_fee")) == (3, 0)
    assert not [amount for kind, amount in flows(books) if kind == "not_valued"]
    assert [(x.proceeds_base, x.fee_base, x.gain_base) for x in books.disposals if x.instrument_id == UNPRICED] == (
        [] if allow_short else [(None, 0, None)]
    )
    assert [(x.amount_base, x.fee_base) for x in books.transactions][-1] == (None, 3)


@pytest.mark.parametrize("cash_mode", ["implicit", "ledger"])
@pytest.mark.parametrize("kind", ["BUY", "SELL"])
@pytest.mark.parametrize(("traded", "currency"), [(GBP, USD), (UNPRICED, GBP), (USD, GBP), (USD, EUR), (EUR, USD)])
def test_money_and_what_has_no_value_are_traded_with_a_fee(
    cash_mode: str, kind: str, traded: str, currency: str
) -> None:
    """A fee is in cost or proceeds (`trade_fee`) or an entry of its own, and never a flow."""
    books = holder_of_gas(cash_mode).add("2024-01-02", kind, traded, 5, price=4, currency=currency, **FEE).run()
    assert entries(books, "fee") + entries(books, "trade_fee") == 3
    if cash_mode == "implicit":
        assert sum(amount or D(0) for kind, amount in flows(books) if kind != "deposit") == 0


@pytest.mark.parametrize("charged_in", [EUR, USD])
def test_a_fee_in_its_own_money_of_money_that_is_sold(charged_in: str) -> None:
    ledger = Ledger(PRICES).add("2024-01-01", "DEPOSIT", EUR, 1000)
    ledger.add("2024-01-02", "SELL", EUR, 100, price=2, currency=USD, fee=6, fee_currency=charged_in)
    books = ledger.run()
    assert entries(books, "fee") + entries(books, "trade_fee") == {EUR: 6, USD: 3}[charged_in]


@pytest.mark.parametrize("cash_mode", ["implicit", "ledger"])
@pytest.mark.parametrize(("given", "received"), [(UNPRICED, GBP), (EUR, BTC), (BTC, USD), (EUR, USD), (GBP, UNPRICED)])
@pytest.mark.parametrize("leg", [0, 1])
def test_a_swap_with_a_fee_on_either_leg(cash_mode: str, given: str, received: str, leg: int) -> None:
    ledger = holder_of_gas(cash_mode, allow_short=True)
    fees: list[dict[str, object]] = [{}, {}]
    fees[leg] = FEE
    ledger.add("2024-01-02", "SWAP_OUT", given, 2, group_id="g", **fees[0])
    books = ledger.add("2024-01-02", "SWAP_IN", received, 3, group_id="g", **fees[1]).run()
    assert entries(books, "fee") + entries(books, "trade_fee") == 3
    assert not [amount for kind, amount in flows(books) if kind == "not_valued" and amount == -3]


@pytest.mark.parametrize("cash_mode", ["implicit", "ledger"])
@pytest.mark.parametrize("currency", [EUR, USD])
def test_money_swapped_for_the_same_money_is_no_wrapping(cash_mode: str, currency: str) -> None:
    ledger = holder_of_gas(cash_mode).add("2024-01-02", "SWAP_OUT", currency, 10, group_id="g")
    if cash_mode == "ledger":
        ledger.add("2024-01-01", "DEPOSIT", USD, 10)
    books = ledger.add("2024-01-02", "SWAP_IN", currency, 12, group_id="g").run()
    assert "ledger_identity" not in codes(books)


def test_the_rows_of_one_event_have_ids_of_their_own() -> None:
    """A lot that is carried and one that is lacking; two charges; a short position with and without a value."""
    twice = Ledger(PRICES, cash_mode="implicit", lot_scope="portfolio")
    twice.add("2024-01-02", "TRANSFER_OUT", UNPRICED, 11, group_id="g", fee=16, fee_currency=UNPRICED)
    check_lots(twice.add("2024-01-02", "TRANSFER_IN", UNPRICED, 11, group_id="g").run())
    ate = Ledger(PRICES, cash_mode="implicit").add("2024-01-02", "SWAP_OUT", BTC, 1, group_id="g")
    ate.add("2024-01-02", "SWAP_IN", ETH, 3, group_id="g", fee=4, fee_currency=ETH)
    ate.add("2024-01-02", "SWAP_IN", ETH, 3, group_id="g", fee=5, fee_currency=UNPRICED)
    check_lots(ate.run())
    late = book([(BTC, "2024-01-03", 100, EUR)], [(USD, EUR, "2024-01-01", 1)], [Instrument(BTC, EUR)])
    short = Ledger(late, allow_short=True).add("2024-01-01", "DEPOSIT", EUR, 100)
    short.add("2024-01-03T09:00:00", "INTEREST_CHARGE", BTC, 1, price=5, currency=EUR, fee=2, fee_currency=BTC)
    check_lots(short.run())
