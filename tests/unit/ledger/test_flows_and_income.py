"""Deposits, withdrawals, income, charges, refunds, first valuations, observed balances."""

from decimal import Decimal as D

import pytest

from tests.unit.ledger.ledgers import BTC, ETH, EUR, STOCK, USD, Ledger, book, codes, entries, flows, gains, held, lots

PRICES = book([(BTC, "2024-01-01", 100, EUR), (BTC, "2024-01-05", 200, EUR), (STOCK, "2024-01-01", 10, EUR)])


def test_asset_deposit_at_market_value_and_with_its_own_cost() -> None:
    books = Ledger(PRICES).add("2024-01-02", "DEPOSIT", BTC, 1).run()
    assert (flows(books), lots(books, BTC)) == ([("deposit", D(100))], [(D(1), D(100))])
    books = Ledger(PRICES).add("2024-01-02", "DEPOSIT", BTC, 1, price=30, currency=EUR).run()
    assert (flows(books), lots(books, BTC)) == ([("deposit", D(100))], [(D(1), D(30))])
    assert entries(books, "carried_price") == 70


def test_opening_brings_cost_fee_and_date() -> None:
    books = Ledger(PRICES).add("2024-01-02T10:00:00", "OPENING", BTC, 1, price=30, currency=EUR, fee=2, tax=1).run()
    assert flows(books) == [("opening", D(100))]
    [lot] = books.lots
    assert (lot.cost_base, lot.acquired_at.isoformat()) == (33, "2024-01-02T10:00:00+00:00")
    assert held(books, EUR) == 0


def test_bare_date_is_valued_at_its_close_and_a_stamp_at_its_instant() -> None:
    assert flows(Ledger(PRICES).add("2024-01-05", "DEPOSIT", BTC, 1).run()) == [("deposit", D(200))]
    assert flows(Ledger(PRICES).add("2024-01-05T12:00:00", "DEPOSIT", BTC, 1).run()) == [("deposit", D(100))]


def test_withdrawal_removes_lots_and_realises_nothing() -> None:
    ledger = Ledger(PRICES, cash_mode="implicit").add("2024-01-02", "BUY", BTC, 2, price=90, currency=EUR)
    books = ledger.add("2024-01-05", "WITHDRAWAL", BTC, 1).run()
    assert flows(books)[-1] == ("withdrawal", D(-200))
    assert (entries(books, "carried_price"), entries(books, "realized_price")) == (-110, 0)
    assert lots(books, BTC) == [(D(1), D(90))]
    assert not books.disposals


def test_dividend_is_net_cash_and_gross_income() -> None:
    books = Ledger(PRICES).add("2024-01-02", "DIVIDEND", STOCK, 85, currency=EUR, tax=10, fee=5).run()
    assert held(books, EUR) == 85
    assert (entries(books, "income"), entries(books, "tax"), entries(books, "fee")) == (100, 10, 5)
    [receipt] = books.incomes
    assert (receipt.quantity, receipt.amount_base, receipt.tax_base, receipt.kind) == (85, 100, 10, "DIVIDEND")


def test_implicit_cash_pays_income_out_and_takes_charges_from_outside() -> None:
    ledger = Ledger(PRICES, cash_mode="implicit").add("2024-01-02", "DIVIDEND", STOCK, 85, currency=EUR, tax=15)
    ledger.add("2024-01-02", "FEE", EUR, 7).add("2024-01-02", "TAX", EUR, 2).add(
        "2024-01-02", "INTEREST_CHARGE", EUR, 1
    )
    books = ledger.run()
    assert flows(books) == [("income_paid_out", D(-85)), ("fee_paid", D(7)), ("fee_paid", D(2)), ("fee_paid", D(1))]
    assert (entries(books, "income"), entries(books, "fee"), entries(books, "tax")) == (100, 8, 17)
    assert not books.positions_rows


@pytest.mark.parametrize("cash_mode", ["ledger", "implicit"])
def test_fee_in_an_asset_is_a_disposal(cash_mode: str) -> None:
    ledger = Ledger(PRICES, cash_mode=cash_mode).add("2024-01-02", "DEPOSIT", BTC, 1, price=50, currency=EUR)
    books = ledger.add("2024-01-03", "FEE", BTC, "0.1").run()
    assert gains(books) == [D(5)]
    assert entries(books, "fee") == 10
    assert held(books, BTC) == D("0.9")


def test_reward_is_income_at_market_value_which_is_its_cost() -> None:
    books = Ledger(PRICES).add("2024-01-02", "STAKING_REWARD", BTC, 1).add("2024-01-02", "AIRDROP", BTC, 1).run()
    assert entries(books, "income") == 200
    assert flows(books) == []
    assert lots(books, BTC) == [(D(1), D(100)), (D(1), D(100))]


def test_reward_with_fee_and_tax_where_no_money_is_held() -> None:
    """The fee lessens what is received, the tax is paid from outside; income is gross of both."""
    ledger = Ledger(PRICES, cash_mode="implicit")
    ledger.add("2024-01-02", "STAKING_REWARD", BTC, 1, tax=10, currency=EUR, fee="0.1", fee_currency=BTC)
    books = ledger.run()
    assert (entries(books, "income"), entries(books, "fee"), entries(books, "tax")) == (100, 10, 10)
    assert (flows(books), lots(books, BTC)) == ([("fee_paid", D(10))], [(D("0.9"), D(90))])


def test_reward_with_a_fee_of_more_than_itself_takes_the_rest_from_what_is_held() -> None:
    ledger = Ledger(PRICES).add("2024-01-01", "DEPOSIT", BTC, 1)
    books = ledger.add("2024-01-02", "STAKING_REWARD", BTC, "0.1", fee="0.3", fee_currency=BTC).run()
    assert (entries(books, "income"), entries(books, "fee"), held(books, BTC)) == (10, 30, D("0.8"))


def test_what_first_gets_a_price_is_told_in_money_that_can_be_read() -> None:
    prices = book([("custom:new", "2024-01-05", "1234.5678", EUR)])
    held = Ledger(prices).add("2024-01-01", "DEPOSIT", "custom:new", 3).run()
    assert "it enters as an inflow of 3,703.70 EUR on 2024-01-05" in held.issues[-1].message
    owed = Ledger(prices, allow_short=True).add("2024-01-01", "WITHDRAWAL", "custom:new", 3).run()
    assert "it enters as an outflow of 3,703.70 EUR on 2024-01-05" in owed.issues[-1].message


def test_reward_without_a_price_has_zero_cost_and_enters_when_first_valued() -> None:
    prices = book([(ETH, "2024-01-04", 10, EUR)])
    books = Ledger(prices).add("2024-01-02", "AIRDROP", ETH, 3).run()
    assert codes(books) == ["income_without_price", "first_valued"]
    assert entries(books, "income") == 0
    assert flows(books) == [("first_valued", D(30))]
    assert lots(books, ETH) == [(D(3), D(0))]
    assert entries(books, "carried_price") == 30


def test_refunds_are_negative_charges() -> None:
    ledger = Ledger(PRICES).add("2024-01-02", "FEE_REFUND", EUR, 5).add("2024-01-02", "TAX_REFUND", EUR, 2)
    books = ledger.run()
    assert (entries(books, "fee"), entries(books, "tax"), held(books, EUR)) == (-5, -2, 7)
    assert flows(books) == []


class TestFirstValued:
    prices = book([(ETH, "2024-01-04T09:00:00", 10, EUR), (ETH, "2024-01-04", 12, EUR)])

    def test_deposit_enters_on_its_first_valued_day_at_that_close(self) -> None:
        books = Ledger(self.prices).add("2024-01-02", "DEPOSIT", ETH, 3).run()
        assert flows(books) == [("deposit", None), ("first_valued", D(36))]
        assert str(books.flows[1].flow_date) == "2024-01-04"
        assert codes(books) == ["missing_price", "first_valued"]
        assert lots(books, ETH) == [(D(3), D(36))]
        assert [(str(r.valid_from), r.cost_base) for r in books.positions_rows] == [
            ("2024-01-02", None),
            ("2024-01-04", 36),
        ]

    def test_cost_of_its_own_stays(self) -> None:
        books = Ledger(self.prices).add("2024-01-02", "OPENING", ETH, 3, price=2, currency=EUR).run()
        assert flows(books) == [("opening", None), ("first_valued", D(36))]
        assert lots(books, ETH) == [(D(3), D(6))]
        assert entries(books, "carried_price") == 30

    def test_part_that_is_sold_before_the_close_enters_at_the_sale(self) -> None:
        ledger = Ledger(self.prices).add("2024-01-02", "DEPOSIT", ETH, 3)
        books = ledger.add("2024-01-04T10:00:00", "SELL", ETH, 1, price=10, currency=EUR).run()
        assert flows(books) == [("deposit", None), ("first_valued", D(10)), ("first_valued", D(24))]
        assert held(books, EUR) == 10

    def test_withdrawal_before_any_price_has_no_value(self) -> None:
        books = Ledger(self.prices).add("2024-01-02", "DEPOSIT", ETH, 3).add("2024-01-03", "WITHDRAWAL", ETH, 3).run()
        assert flows(books) == [("deposit", None), ("withdrawal", None)]
        assert not books.entries

    def test_never_priced_has_no_value_ever(self) -> None:
        books = Ledger().add("2024-01-02", "DEPOSIT", ETH, 3).run()
        assert flows(books) == [("deposit", None)]
        assert [(r.quantity, r.cost_base, r.valid_to) for r in books.positions_rows] == [(3, None, None)]

    def test_a_form_of_an_asset_that_waits_for_its_price_leaves_the_other_form_its_cost(self) -> None:
        """The sale of the form that has a price takes that form's lot, though the other's is older."""
        from assets.ledger.model import Instrument

        token = "eip155:1/erc20:0xWETH"
        prices = book(
            [(ETH, "2024-01-01", 10, EUR), (token, "2024-01-05", 12, EUR)], instruments=[Instrument(token, EUR, ETH)]
        )
        ledger = Ledger(prices, cash_mode="implicit").add("2024-01-01", "DEPOSIT", token, 2)
        ledger.add("2024-01-02", "BUY", ETH, 2, price=9, currency=EUR)
        books = ledger.add("2024-01-03", "SELL", ETH, 1, price=11, currency=EUR).run()
        assert gains(books) == [D(2)]
        assert flows(books) == [("deposit", None), ("trade", D(18)), ("trade", D(-11)), ("first_valued", D(24))]
        assert lots(books, ETH) == [(D(1), D(9))]
        assert [(r.cost_base, r.valid_from.day) for r in books.positions_rows if r.instrument_id == token] == [
            (None, 1),
            (24, 5),
        ]

    def test_swap_of_money_into_what_has_no_price_yet_leaves_and_comes_back(self) -> None:
        ledger = Ledger(self.prices).add("2024-01-01", "DEPOSIT", EUR, 20)
        ledger.add("2024-01-02", "SWAP_OUT", EUR, 20, group_id="g")
        books = ledger.add("2024-01-02", "SWAP_IN", ETH, 2, group_id="g").run()
        assert flows(books) == [("deposit", D(20)), ("not_valued", D(-20)), ("first_valued", D(24))]
        assert lots(books, ETH) == [(D(2), D(20))]


class TestObserved:
    def test_first_balance_is_the_opening_and_changes_are_flows(self) -> None:
        ledger = Ledger(PRICES).balance("2024-01-02", BTC, 2, cost=150).balance("2024-01-05", BTC, 3)
        books = ledger.balance("2024-01-06", BTC, 1).run()
        assert flows(books) == [("opening", D(200)), ("observed_change", D(200)), ("observed_change", D(-400))]
        assert lots(books, BTC) == [(D(1), D(200))]
        assert {r.flow_basis for r in books.positions_rows} == {"observed"}
        assert codes(books) == []

    def test_where_a_ledger_exists_a_mismatch_is_an_issue_and_no_plug(self) -> None:
        ledger = Ledger(PRICES).add("2024-01-02T10:00:00", "DEPOSIT", BTC, 2)
        ledger.balance("2024-01-02", BTC, 2).balance("2024-01-04", BTC, 3)
        books = ledger.run()
        [issue] = books.issues
        assert (issue.code, issue.severity) == ("balance_mismatch", "warn")
        assert "holds 3" in issue.message
        assert "and 2 by" in issue.message
        assert held(books, BTC) == 2

    def test_money_and_debt_observed_do_not_hold_the_portfolio(self) -> None:
        prices = book([], [(USD, EUR, "2024-01-01", "0.5"), (USD, EUR, "2024-01-03", "0.8")])
        ledger = (
            Ledger(prices).balance("2024-01-01", USD, 100).balance("2024-01-03", USD, -50).balance("2024-01-03", EUR, 5)
        )
        books = ledger.run()
        assert codes(books) == []
        assert flows(books) == [("opening", D(50)), ("observed_change", D(-120)), ("opening", D(5))]
        assert lots(books, USD) == [(D(-50), D(-40))]


def test_a_dividend_is_paid_on_its_pay_date_to_who_held_at_the_ex_date() -> None:
    """Ten units at the open of the 3rd: what is bought on that day and sold after it changes nothing."""
    ledger = Ledger(PRICES, cash_mode="ledger").add("2024-01-01", "DEPOSIT", EUR, 1000)
    ledger.add("2024-01-02", "BUY", STOCK, 10, price=10, currency=EUR)
    ledger.add("2024-01-03", "DIVIDEND_ENTITLEMENT", STOCK, "0.5", currency=EUR, group_id="x")
    ledger.add("2024-01-03", "BUY", STOCK, 10, price=10, currency=EUR)
    ledger.add("2024-01-04", "SELL", STOCK, 20, price=10, currency=EUR)
    ledger.add("2024-01-05", "DIVIDEND_PER_UNIT", STOCK, "0.5", currency=EUR, group_id="x")
    books = ledger.run()
    assert entries(books, "income") == 5
    assert [row.received_at.date().isoformat() for row in books.incomes] == ["2024-01-05"]
    assert held(books, EUR) == 1005
