"""Transfers between own accounts and between portfolios: lots and dates travel, fees count once."""

from decimal import Decimal as D

import pytest

from tests.unit.ledger.ledgers import BTC, ETH, EUR, USD, Ledger, book, codes, entries, flows, gains, held, lots

PRICES = book([(BTC, "2024-01-01", 100, EUR), (BTC, "2024-01-05", 200, EUR), (ETH, "2024-01-01", 10, EUR)])


def start(**choices: object) -> Ledger:
    ledger = Ledger(PRICES, cash_mode="implicit", **choices)
    ledger.add("2024-01-01T08:00:00", "BUY", BTC, 1, price=90, currency=EUR)
    return ledger.add("2024-01-02T08:00:00", "BUY", BTC, 1, price=110, currency=EUR)


@pytest.mark.parametrize("scope", ["account", "portfolio"])
@pytest.mark.parametrize(("method", "cost"), [("FIFO", 90), ("LIFO", 110), ("HIFO", 110), ("ACB", 100)])
def test_lots_travel_with_cost_and_date_chosen_by_the_method(scope: str, method: str, cost: int) -> None:
    ledger = start(cost_basis=method, lot_scope=scope).add("2024-01-03T10:00:00", "TRANSFER_OUT", BTC, 1, group_id="g")
    books = ledger.add("2024-01-03T10:30:00", "TRANSFER_IN", BTC, 1, group_id="g", account="b").run()
    assert lots(books, BTC, "b") == [(D(1), D(cost))]
    assert lots(books, BTC, "a") == [(D(1), D(200 - cost))]
    assert [f.kind for f in books.flows] == ["trade", "trade"]
    assert not books.disposals
    [moved] = [x for x in books.lots if x.account_id == "b"]
    assert moved.acquired_at.day == (1 if cost in (90, 100) else 2)


@pytest.mark.parametrize("out_fee", [{}, {"fee": "0.01", "fee_currency": BTC}])
def test_what_does_not_arrive_is_a_fee_that_counts_once(out_fee: dict[str, object]) -> None:
    ledger = start().add("2024-01-03T10:00:00", "TRANSFER_OUT", BTC, 1, group_id="g", **out_fee)
    books = ledger.add("2024-01-03T10:30:00", "TRANSFER_IN", BTC, "0.99", group_id="g", account="b").run()
    assert (held(books, BTC, "a"), held(books, BTC, "b")) == (1, D("0.99"))
    assert entries(books, "fee") == 1
    assert [(d.quantity, d.gain_base) for d in books.disposals] == [(D("0.01"), D("0.1"))]


def test_the_same_fee_on_both_legs_counts_once() -> None:
    fee = {"fee": "0.01", "fee_currency": BTC}
    ledger = start().add("2024-01-03T10:00:00", "TRANSFER_OUT", BTC, 1, group_id="g", **fee)
    books = ledger.add("2024-01-03T10:30:00", "TRANSFER_IN", BTC, "0.99", group_id="g", account="b", **fee).run()
    assert entries(books, "fee") == 1


def test_stated_fee_on_top_and_gas_in_another_asset() -> None:
    ledger = start().add("2024-01-01", "BUY", ETH, 1, price=4, currency=EUR)
    ledger.add("2024-01-03T10:00:00", "TRANSFER_OUT", BTC, 1, group_id="g", fee="0.1", fee_currency=ETH)
    books = ledger.add("2024-01-03T10:30:00", "TRANSFER_IN", BTC, 1, group_id="g", account="b").run()
    assert entries(books, "fee") == 1
    assert gains(books, ETH) == [D("0.6")]
    assert lots(books, BTC, "b") == [(D(1), D(90))]


def test_several_legs() -> None:
    ledger = start().add("2024-01-03T10:00:00", "TRANSFER_OUT", BTC, 2, group_id="g")
    ledger.add("2024-01-03T10:30:00", "TRANSFER_IN", BTC, "0.5", group_id="g", account="b")
    books = ledger.add("2024-01-03T10:40:00", "TRANSFER_IN", BTC, "1.5", group_id="g", account="c").run()
    assert lots(books, BTC, "b") == [(D("0.5"), D(45))]
    assert lots(books, BTC, "c") == [(D("0.5"), D(45)), (D(1), D(110))]


def test_arrival_before_departure_within_the_day_serves_a_sale_between() -> None:
    ledger = start().add("2024-01-05T10:30:00", "TRANSFER_OUT", BTC, 1, group_id="g")
    ledger.add("2024-01-05T10:00:00", "TRANSFER_IN", BTC, 1, group_id="g", account="b")
    ledger.add("2024-01-05T10:10:00", "SELL", BTC, 1, price=200, currency=EUR, account="b")
    books = ledger.run()
    assert gains(books) == [D(110)]
    assert codes(books) == []
    assert held(books, BTC) == 1


def test_bare_dated_transfer_of_what_was_bought_later_that_day() -> None:
    ledger = Ledger(PRICES, cash_mode="implicit").add("2024-01-05", "TRANSFER_OUT", BTC, 1, group_id="g")
    ledger.add("2024-01-05", "TRANSFER_IN", BTC, 1, group_id="g", account="b")
    ledger.add("2024-01-05T09:00:00", "BUY", BTC, 1, price=100, currency=EUR)
    books = ledger.run()
    assert lots(books, BTC, "b") == [(D(1), D(100))]
    assert codes(books) == []


def test_round_trip_joins_the_lot_again() -> None:
    ledger = start().add("2024-01-03T10:00:00", "TRANSFER_OUT", BTC, "0.5", group_id="g")
    ledger.add("2024-01-03T10:00:00", "TRANSFER_IN", BTC, "0.5", group_id="g", account="b")
    ledger.add("2024-01-04T10:00:00", "TRANSFER_OUT", BTC, "0.5", group_id="h", account="b")
    books = ledger.add("2024-01-04T10:00:00", "TRANSFER_IN", BTC, "0.5", group_id="h").run()
    assert lots(books, BTC) == [(D(1), D(90)), (D(1), D(110))]


@pytest.mark.parametrize(("kind", "amount"), [("TRANSFER_OUT", -100), ("TRANSFER_IN", 100)])
def test_lone_leg_is_an_external_flow_with_an_issue(kind: str, amount: int) -> None:
    books = start().add("2024-01-03", kind, BTC, 1, group_id="g").run()
    assert flows(books)[-1] == (kind.lower(), D(amount))
    assert codes(books) == ["unmatched_transfer"]
    assert not books.disposals


def test_more_arrived_than_left() -> None:
    ledger = start().add("2024-01-03", "TRANSFER_OUT", BTC, 1, group_id="g")
    books = ledger.add("2024-01-03", "TRANSFER_IN", BTC, "1.5", group_id="g", account="b").run()
    assert flows(books)[-1] == ("transfer_in", D(50))
    assert codes(books) == ["unmatched_transfer"]


def test_money_moves_between_accounts_without_a_gain() -> None:
    rates = [(USD, EUR, "2024-01-01", "0.5"), (USD, EUR, "2024-01-03", "0.8")]
    ledger = Ledger(book([], rates)).add("2024-01-01", "DEPOSIT", USD, 100).add("2024-01-01", "DEPOSIT", EUR, 10)
    for currency, group in ((USD, "g"), (EUR, "h")):
        ledger.add("2024-01-03", "TRANSFER_OUT", currency, 10, group_id=group)
        ledger.add("2024-01-03", "TRANSFER_IN", currency, 10, group_id=group, account="b")
    books = ledger.run()
    assert lots(books, USD, "b") == [(D(10), D(5))]
    assert lots(books, EUR, "b") == [(D(10), D(10))]
    assert entries(books, "realized_currency") == 0


def test_missing_part_of_a_transfer_arrives_flagged_at_zero_cost_as_an_inflow() -> None:
    ledger = Ledger(PRICES, cash_mode="implicit").add("2024-01-02", "TRANSFER_OUT", BTC, 1, group_id="g")
    books = ledger.add("2024-01-02", "TRANSFER_IN", BTC, 1, group_id="g", account="b").run()
    assert flows(books) == [("transfer_in", D(100))]
    assert codes(books) == ["missing_acquisition"]
    [lot] = books.lots
    assert (lot.cost_base, lot.is_missing_acquisition) == (0, True)
    assert entries(books, "carried_price") == 100


class TestBetweenPortfolios:
    def two(self, base: str = EUR) -> Ledger:
        prices = book([(BTC, "2024-01-01", 100, EUR), (BTC, "2024-01-05", 200, EUR)], [(USD, EUR, "2024-01-01", "0.5")])
        ledger = Ledger(prices, cash_mode="implicit").portfolio("q", base=base, cash_mode="implicit")
        return ledger.add("2024-01-01", "BUY", BTC, 2, price=90, currency=EUR)

    def test_is_a_flow_in_each_and_carries_cost_and_dates(self) -> None:
        ledger = self.two().add("2024-01-05T10:00:00", "TRANSFER_OUT", BTC, 1, group_id="g")
        ledger.add("2024-01-06T10:00:00", "TRANSFER_IN", BTC, 1, group_id="g", portfolio="q")
        sender, receiver = ledger.run_all()
        assert flows(sender)[-1] == ("transfer_out", D(-100))  # at 10:00 the close of that day is not known yet
        assert flows(receiver) == [("transfer_in", D(200))]
        [lot] = receiver.lots
        assert (lot.cost_base, lot.acquired_at.day) == (90, 1)
        assert entries(sender, "carried_price") == -10
        assert entries(receiver, "carried_price") == 110
        assert codes(sender) == codes(receiver) == []

    def test_into_another_base_currency(self) -> None:
        ledger = self.two(base=USD).add("2024-01-06T10:00:00", "TRANSFER_OUT", BTC, 1, group_id="g")
        ledger.add("2024-01-06T10:00:00", "TRANSFER_IN", BTC, 1, group_id="g", portfolio="q")
        _, receiver = ledger.run_all()
        assert flows(receiver) == [("transfer_in", D(400))]
        assert [(x.cost_base, x.acquisition_fx) for x in receiver.lots] == [(180, 2)]

    def test_into_another_base_currency_at_the_rate_of_the_day_of_purchase(self) -> None:
        """A bare-dated purchase has the rate of that day's close, not the one of the day before (or, without one, of now)."""
        rates = [(USD, EUR, "2024-01-01", "0.4"), (USD, EUR, "2024-01-02", "0.5"), (USD, EUR, "2024-01-05", "0.8")]
        ledger = Ledger(book([(BTC, "2024-01-01", 100, EUR)], rates), cash_mode="implicit")
        ledger.portfolio("q", base=USD, cash_mode="implicit")
        ledger.add("2024-01-02", "BUY", BTC, 1, price=90, currency=EUR)
        ledger.add("2024-01-03T12:00:00", "BUY", BTC, 1, price=120, currency=EUR)
        ledger.add("2024-01-06", "TRANSFER_OUT", BTC, 2, group_id="g")
        ledger.add("2024-01-06", "TRANSFER_IN", BTC, 2, group_id="g", portfolio="q")
        _, receiver = ledger.run_all()
        assert [(x.cost_base, x.acquisition_fx) for x in receiver.lots] == [(180, 2), (240, 2)]

    def test_one_group_id_used_in_both_portfolios_on_their_own(self) -> None:
        ledger = self.two().add("2024-01-01", "BUY", BTC, 1, price=80, currency=EUR, portfolio="q")
        for portfolio in ("p", "q"):
            ledger.add("2024-01-06", "TRANSFER_OUT", BTC, 1, group_id="g", portfolio=portfolio)
            ledger.add("2024-01-06", "TRANSFER_IN", BTC, 1, group_id="g", portfolio=portfolio, account="b")
        for books in ledger.run_all():
            assert [f.kind for f in books.flows] == ["trade"]
            assert held(books, BTC, "b") == 1


def test_a_lone_leg_becomes_a_transfer_once_the_other_one_is_known() -> None:
    """The next run knows both legs: no flow, no issue, and the lot has the date and cost of its purchase."""
    ledger = start().add("2024-01-03T10:00:00", "TRANSFER_OUT", BTC, 1, group_id="g")
    assert codes(ledger.run()) == ["unmatched_transfer"]
    books = ledger.add("2024-01-05T10:00:00", "TRANSFER_IN", BTC, 1, group_id="g", account="b").run()
    assert codes(books) == []
    assert [f.kind for f in books.flows] == ["trade", "trade"]
    assert [(x.account_id, x.cost_base, x.acquired_at.day) for x in books.lots] == [("a", 110, 2), ("b", 90, 1)]
