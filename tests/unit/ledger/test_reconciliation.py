"""Observed balances beside derived ones: every comparison leaves a row, and nothing is corrected in silence."""

from collections.abc import Iterable
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.ledger.books import Books
from assets.ledger.model import Instrument
from tests.unit.ledger.ledgers import BTC, ETH, EUR, STOCK, Ledger, book, codes, flows, held

PRICES = book([(BTC, "2024-01-01", 100, EUR), (ETH, "2024-01-01", 10, EUR), (STOCK, "2024-01-01", 50, EUR)])
NATIVE, WRAPPED = "eip155:1/slip44:60", "eip155:1/erc20:0xWETH"
CHAIN = book(
    [(ETH, "2024-01-01", 10, EUR)],
    instruments=[Instrument(name, EUR, ETH) for name in (NATIVE, WRAPPED, ETH)],
)


def compared(books: Books) -> list[tuple[str, str, Decimal, Decimal, str]]:
    """Instrument, day, observed, derived, status."""
    return [
        (r.instrument_id, r.observed_date.isoformat(), r.observed_quantity, r.derived_quantity, r.status)
        for r in books.reconciliation
    ]


def test_each_dated_balance_is_compared_with_what_the_transactions_gave_then() -> None:
    ledger = Ledger(PRICES, cash_mode="implicit")
    ledger.add("2024-01-02", "BUY", BTC, 2, price=100, currency=EUR).add(
        "2024-01-04", "BUY", BTC, 1, price=100, currency=EUR
    )
    for day, quantity in (("2024-01-01", 0), ("2024-01-03", 2), ("2024-01-04", 3), ("2024-01-05", "2.5")):
        ledger.balance(day, BTC, quantity)
    books = ledger.run()
    assert compared(books) == [
        (BTC, "2024-01-01", 0, 0, "matched"),
        (BTC, "2024-01-03", 2, 2, "matched"),
        # a bare date is its close: the purchase of that day counts
        (BTC, "2024-01-04", 3, 3, "matched"),
        (BTC, "2024-01-05", Decimal("2.5"), 3, "mismatch"),
    ]
    mismatch = books.reconciliation[-1]
    assert (mismatch.difference, mismatch.difference_base, mismatch.flow_id) == (Decimal("-0.5"), -50, None)
    assert mismatch.tolerance == 3 * Decimal("1e-9")
    assert codes(books) == ["balance_mismatch"]
    assert held(books, BTC) == 3


def test_a_time_stamp_is_compared_at_its_instant() -> None:
    ledger = Ledger(PRICES, cash_mode="implicit").add("2024-01-02T12:00:00", "BUY", BTC, 2, price=100, currency=EUR)
    ledger.balance("2024-01-02T11:00:00", BTC, 2).balance("2024-01-02T13:00:00", BTC, 2)
    assert [(derived, status) for *_, derived, status in compared(ledger.run())] == [(0, "mismatch"), (2, "matched")]


@pytest.mark.parametrize(("observed", "status"), [("3.000000003", "matched"), ("3.000000004", "mismatch")])
def test_the_ninth_digit_is_rounding(observed: str, status: str) -> None:
    ledger = Ledger(PRICES, cash_mode="implicit").add("2024-01-02", "BUY", BTC, 3, price=100, currency=EUR)
    assert compared(ledger.balance("2024-01-03", BTC, observed).run())[0][-1] == status


def test_a_difference_without_a_price_has_no_value() -> None:
    ledger = Ledger(book(), cash_mode="implicit").add("2024-01-02", "DEPOSIT", BTC, 3).balance("2024-01-03", BTC, 2)
    [row] = ledger.run().reconciliation
    assert (row.status, row.difference, row.difference_base) == ("mismatch", -1, None)


def test_balances_alone_say_which_flow_each_change_became() -> None:
    ledger = Ledger(PRICES).balance("2024-01-02", BTC, 2).balance("2024-01-03", BTC, 2).balance("2024-01-04", BTC, 5)
    books = ledger.balance("2024-01-05", BTC, 4).run()
    assert [(r.status, r.derived_quantity, r.difference, r.tolerance) for r in books.reconciliation] == [
        ("opening", 0, 2, 0), ("unchanged", 2, 0, 0), ("observed_change", 2, 3, 0), ("observed_change", 5, -1, 0),
    ]  # fmt: skip
    of_flow = {flow.flow_id: (flow.kind, flow.amount_base) for flow in books.flows}
    assert [of_flow.get(r.flow_id or "") for r in books.reconciliation] == [
        ("opening", 200), None, ("observed_change", 300), ("observed_change", -100),
    ]  # fmt: skip
    assert [r.difference_base for r in books.reconciliation] == [200, 0, 300, -100]
    assert codes(books) == []


def test_an_instrument_that_the_ledger_of_its_account_never_names_is_a_flow_and_is_said() -> None:
    ledger = Ledger(PRICES, cash_mode="implicit").add("2024-01-02", "BUY", BTC, 2, price=100, currency=EUR)
    books = ledger.balance("2024-01-03", ETH, 4).balance("2024-01-04", ETH, 5).run()
    assert compared(books) == [
        (ETH, "2024-01-03", 4, 0, "opening"),
        (ETH, "2024-01-04", 5, 4, "observed_change"),
    ]
    assert codes(books) == ["balance_without_ledger"]
    assert held(books, ETH) == 5


def test_what_a_balance_file_does_not_list_is_not_compared() -> None:
    ledger = Ledger(PRICES, cash_mode="implicit")
    for instrument in (BTC, ETH):
        ledger.add("2024-01-02", "BUY", instrument, 2, price=10, currency=EUR)
    books = ledger.balance("2024-01-03", BTC, 2).run()
    assert compared(books) == [(BTC, "2024-01-03", 2, 2, "matched")]
    assert codes(books) == []
    assert held(books, ETH) == 2


def test_other_ids_of_what_the_ledger_holds_are_compared_by_their_sum_and_not_held_twice() -> None:
    ledger = Ledger(CHAIN, cash_mode="implicit").add("2024-01-02", "BUY", ETH, 5, price=10, currency=EUR)
    ledger.balance("2024-01-03", NATIVE, 4).balance("2024-01-03", WRAPPED, 1).balance("2024-01-04", NATIVE, 4)
    books = ledger.run()
    assert compared(books) == [
        (ETH, "2024-01-03", 5, 5, "matched"),
        (ETH, "2024-01-04", 4, 5, "mismatch"),
    ]
    assert [r.observed_as for r in books.reconciliation] == [f"{WRAPPED}, {NATIVE}", NATIVE]
    assert books.reconciliation[1].difference_base == -10
    assert (held(books, ETH), held(books, NATIVE), flows(books)) == (5, 0, [("trade", 50)])


def test_the_ledgers_own_ids_are_compared_one_by_one() -> None:
    ledger = Ledger(CHAIN, cash_mode="implicit").add("2024-01-02", "BUY", NATIVE, 5, price=10, currency=EUR)
    ledger.add("2024-01-03", "SWAP_OUT", NATIVE, 2, group_id="w").add("2024-01-03", "SWAP_IN", WRAPPED, 2, group_id="w")
    ledger.balance("2024-01-04", NATIVE, 2).balance("2024-01-04", WRAPPED, 3)
    assert sorted(compared(ledger.run())) == [
        (WRAPPED, "2024-01-04", 3, 2, "mismatch"),
        (NATIVE, "2024-01-04", 2, 3, "mismatch"),
    ]


def test_accounts_are_compared_each_by_itself() -> None:
    ledger = Ledger(PRICES, cash_mode="implicit").add("2024-01-02", "BUY", BTC, 2, price=100, currency=EUR)
    books = ledger.balance("2024-01-03", BTC, 2, account="b").run()
    assert [(r.account_id, r.status) for r in books.reconciliation] == [("b", "opening")]
    assert codes(books) == []


def test_dividends_and_splits_leave_a_holding_to_its_balances() -> None:
    ledger = Ledger(PRICES).balance("2024-01-02", STOCK, 10).add("2024-01-03", "DIVIDEND", STOCK, 7, currency=EUR)
    ledger.add("2024-01-04", "SPLIT", STOCK, 2).balance("2024-01-05", STOCK, 20)
    books = ledger.run()
    assert [(r.status, r.derived_quantity) for r in books.reconciliation] == [("opening", 0), ("unchanged", 20)]
    assert held(books, STOCK) == 20


def test_a_bare_date_and_a_time_stamp_at_its_midnight_are_two_observations() -> None:
    ledger = Ledger(PRICES).balance("2024-01-02", BTC, 2).balance("2024-01-02T00:00:00", BTC, 3)
    rows = ledger.run().reconciliation
    assert len({(r.account_id, r.instrument_id, r.observed_at, r.is_date_only) for r in rows}) == len(rows) == 2


@given(st.lists(st.integers(0, 9), min_size=1, max_size=6), st.lists(st.integers(1, 3), max_size=4))
def test_every_balance_has_one_row_and_differences_explain_what_is_held(
    observed: Iterable[int], bought: Iterable[int]
) -> None:
    ledger = Ledger(PRICES, cash_mode="implicit")
    for day, quantity in enumerate(bought, 1):
        ledger.add(f"2024-01-{day:02d}", "BUY", ETH, quantity, price=10, currency=EUR)
    for day, quantity in enumerate(observed, 1):
        ledger.balance(f"2024-01-{day:02d}", ETH, quantity).balance(f"2024-01-{day:02d}", BTC, quantity)
    books = ledger.run()
    assert len(books.reconciliation) == len(ledger.balances)
    assert all(r.difference == r.observed_quantity - r.derived_quantity for r in books.reconciliation)
    # balances alone: the differences add up to the holding, and each that is one has its flow
    alone = [r for r in books.reconciliation if r.instrument_id == BTC]
    assert sum(r.difference for r in alone) == held(books, BTC)
    assert all((r.flow_id is not None) == bool(r.difference) for r in alone)
    mismatches = [r for r in books.reconciliation if r.status == "mismatch"]
    assert len(mismatches) == codes(books).count("balance_mismatch")
