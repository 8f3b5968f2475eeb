"""Purchases, sales, fees, taxes, the cost methods: numbers that can be checked by hand."""

from decimal import Decimal as D

import pytest

from tests.unit.ledger.ledgers import (
    BTC,
    ETH,
    EUR,
    STOCK,
    USD,
    Ledger,
    book,
    codes,
    entries,
    flows,
    gains,
    held,
    lots,
)  # fmt: skip

STOCK_PRICES = book([(STOCK, "2024-01-01", 10, EUR), (STOCK, "2024-01-05", 12, EUR)])


def test_buy_moves_cash_and_costs_amount_fee_and_tax() -> None:
    ledger = Ledger(STOCK_PRICES).add("2024-01-01", "DEPOSIT", EUR, 1000)
    ledger.add("2024-01-02", "BUY", STOCK, 10, price=10, currency=EUR, fee=3, tax=2)
    books = ledger.run()
    assert held(books, EUR) == 895
    assert lots(books, STOCK) == [(D(10), D(105))]
    assert entries(books, "trade_fee") == 3
    assert entries(books, "trade_tax") == 2
    assert entries(books, "fee") == 0
    assert flows(books) == [("deposit", D(1000))]


def test_amount_wins_over_quantity_times_price() -> None:
    books = Ledger(STOCK_PRICES, cash_mode="implicit").add(
        "2024-01-02", "BUY", STOCK, 3, price="3.33", amount=10, currency=EUR
    ).run()  # fmt: skip
    assert lots(books, STOCK) == [(D(3), D(10))]


def test_sale_fee_lowers_proceeds_and_tax_is_an_entry_of_its_own() -> None:
    ledger = Ledger(STOCK_PRICES).add("2024-01-01", "DEPOSIT", EUR, 100)
    ledger.add("2024-01-01", "BUY", STOCK, 10, price=10, currency=EUR)
    ledger.add("2024-01-05", "SELL", STOCK, 10, price=12, currency=EUR, fee=1, tax=4)
    books = ledger.run()
    assert held(books, EUR) == 115
    [disposal] = books.disposals
    assert (disposal.proceeds_base, disposal.fee_base, disposal.cost_base, disposal.gain_base) == (120, 1, 100, 19)
    assert disposal.holding_days == 4
    assert (entries(books, "tax"), entries(books, "trade_fee"), entries(books, "fee")) == (4, 1, 0)
    assert entries(books, "realized_price") == 19


def test_implicit_cash_makes_trades_flows() -> None:
    ledger = Ledger(STOCK_PRICES, cash_mode="implicit")
    ledger.add("2024-01-01", "BUY", STOCK, 10, price=10, currency=EUR, fee=1, tax=1)
    ledger.add("2024-01-05", "SELL", STOCK, 10, price=12, currency=EUR, fee=1, tax=4)
    books = ledger.run()
    assert flows(books) == [("trade", D(102)), ("trade", D(-115))]
    assert held(books, EUR) == 0
    assert gains(books) == [D(17)]


def test_fee_in_the_received_asset_lessens_what_is_received() -> None:
    prices = book([(BTC, "2024-01-01", 100, EUR)])
    ledger = Ledger(prices, cash_mode="implicit")
    books = ledger.add("2024-01-01", "BUY", BTC, 2, price=100, currency=EUR, fee="0.1", fee_currency=BTC).run()
    assert lots(books, BTC) == [(D("1.9"), D(200))]
    assert entries(books, "trade_fee") == 10
    assert not books.disposals


def test_fee_of_more_than_was_bought_takes_the_rest_from_what_is_held() -> None:
    ledger = Ledger(book([(BTC, "2024-01-01", 100, EUR)]), cash_mode="implicit")
    ledger.add("2024-01-01", "BUY", BTC, 1, price=90, currency=EUR)
    books = ledger.add("2024-01-02", "BUY", BTC, "0.5", price=100, currency=EUR, fee="0.6", fee_currency=BTC).run()
    assert held(books, BTC) == D("0.9")
    assert entries(books, "fee") == 60


def test_fee_in_the_sold_asset_takes_lots_along() -> None:
    prices = book([(BTC, "2024-01-01", 100, EUR)])
    ledger = Ledger(prices, cash_mode="implicit").add("2024-01-01", "BUY", BTC, 2, price=50, currency=EUR)
    ledger.add("2024-01-02", "SELL", BTC, 1, price=100, currency=EUR, fee="0.5", fee_currency=BTC)
    books = ledger.run()
    [disposal] = books.disposals
    assert (disposal.quantity, disposal.cost_base, disposal.proceeds_base, disposal.fee_base) == (D("1.5"), 75, 100, 0)
    assert disposal.gain_base == 25
    assert held(books, BTC) == D("0.5")
    assert entries(books, "fee") == 0


@pytest.mark.parametrize("kind", ["BUY", "SELL"])
def test_fee_in_a_third_asset_is_its_disposal_at_market_value(kind: str) -> None:
    prices = book([(STOCK, "2024-01-01", 10, EUR), (ETH, "2024-01-01", 100, EUR)])
    ledger = Ledger(prices).add("2024-01-01", "DEPOSIT", EUR, 1000)
    ledger.add("2024-01-01", "BUY", ETH, 1, price=40, currency=EUR)
    ledger.add("2024-01-01", "BUY", STOCK, 20, price=10, currency=EUR)
    ledger.add("2024-01-02", kind, STOCK, 10, price=10, currency=EUR, fee="0.1", fee_currency=ETH)
    books = ledger.run()
    assert gains(books, ETH) == [D(6)]  # 10 of market value for 4 of cost
    if kind == "BUY":
        assert lots(books, STOCK) == [(D(20), D(200)), (D(10), D(110))]
    else:
        assert gains(books, STOCK) == [D(-10)]
    assert (entries(books, "trade_fee"), entries(books, "fee")) == (10, 0)


@pytest.mark.parametrize(
    ("method", "taken", "gain"),
    [
        ("FIFO", [(2, 20), (1, 30)], 70),
        ("LIFO", [(2, 40), (1, 30)], 50),
        ("HIFO", [(2, 60), (1, 20)], 40),
        ("ACB", [(3, 60)], 60),
    ],
)
def test_cost_methods(method: str, taken: list[tuple[int, int]], gain: int) -> None:
    ledger = Ledger(STOCK_PRICES, cash_mode="implicit", cost_basis=method)
    for day, cost in enumerate((10, 30, 20), 1):
        ledger.add(f"2024-01-0{day}", "BUY", STOCK, 2, price=cost, currency=EUR)
    books = ledger.add("2024-01-05", "SELL", STOCK, 3, price=40, currency=EUR).run()
    assert [(d.quantity, d.cost_base) for d in books.disposals] == taken
    assert sum(g or 0 for g in gains(books)) == gain
    assert {d.method for d in books.disposals} == {method}


def test_average_cost_tells_the_first_purchase_since_flat_and_no_holding_days() -> None:
    prices = book([(STOCK, "2024-01-01", 10, EUR)])
    ledger = Ledger(prices, cash_mode="implicit", cost_basis="ACB", lot_scope="portfolio")
    ledger.add("2024-01-01", "BUY", STOCK, 1, price=10, currency=EUR)
    ledger.add("2024-01-02", "SELL", STOCK, 1, price=10, currency=EUR)
    ledger.add("2024-01-03", "BUY", STOCK, 1, price=20, currency=EUR)
    ledger.add("2024-01-04", "BUY", STOCK, 1, price=40, currency=EUR)
    ledger.add("2024-01-05", "SELL", STOCK, 1, price=50, currency=EUR)
    books = ledger.run()
    last = books.disposals[-1]
    assert (last.cost_base, last.holding_days) == (30, None)
    assert last.acquired_at is not None
    assert last.acquired_at.day == 3
    assert books.lots[0].acquired_at.day == 3


@pytest.mark.parametrize("last", ["0.66666666666666666667", "0.66666666666666666666"])
@pytest.mark.parametrize("method", ["FIFO", "ACB"])
def test_thirds_end_exactly_flat(method: str, last: str) -> None:
    prices = book([(BTC, "2024-01-01", 10, EUR)])
    ledger = Ledger(prices, cash_mode="implicit", cost_basis=method)
    ledger.add("2024-01-01", "BUY", BTC, "0.33333333333333333333", price=10, currency=EUR)
    ledger.add("2024-01-02", "BUY", BTC, last, price=10, currency=EUR)
    ledger.add("2024-01-03", "SELL", BTC, 1, price=10, currency=EUR)
    books = ledger.run()
    assert held(books, BTC) == 0
    assert not books.lots
    assert "missing_acquisition" not in codes(books)
    assert books.positions_rows[-1].valid_to is not None


def test_dust_that_is_left_goes_with_the_sale_and_resets_the_average() -> None:
    prices = book([(BTC, "2024-01-01", 10, EUR)])
    ledger = Ledger(prices, cash_mode="implicit", cost_basis="ACB")
    ledger.add("2024-01-01", "BUY", BTC, "1.0000000000001", price=10, currency=EUR)
    ledger.add("2024-01-02", "SELL", BTC, 1, price=10, currency=EUR)
    ledger.add("2024-01-03", "BUY", BTC, 1, price=30, currency=EUR)
    books = ledger.run()
    assert lots(books, BTC) == [(D(1), D(30))]


def test_sold_more_than_held_is_costed_as_far_as_it_was_held() -> None:
    prices = book([(BTC, "2024-01-01", 10, EUR)])
    ledger = Ledger(prices, cash_mode="implicit").add("2024-01-01", "BUY", BTC, 1, price=10, currency=EUR)
    ledger.add("2024-01-02", "SELL", BTC, 4, price=20, currency=EUR)
    books = ledger.run()
    found, missing = books.disposals
    assert (found.quantity, found.gain_base, found.is_missing_acquisition) == (1, 10, False)
    assert (missing.quantity, missing.cost_base, missing.gain_base, missing.acquired_at) == (3, 0, 60, None)
    assert missing.is_missing_acquisition
    assert missing.lot_id.startswith("missing-")
    assert held(books, BTC) == 0
    assert codes(books) == ["missing_acquisition"]


def test_short_sale_opens_a_short_lot_that_a_purchase_closes() -> None:
    prices = book([(STOCK, "2024-01-01", 20, EUR), (STOCK, "2024-01-03", 15, EUR)])
    ledger = Ledger(prices, allow_short=True).add("2024-01-01", "DEPOSIT", EUR, 100)
    ledger.add("2024-01-02", "SELL", STOCK, 3, price=20, currency=EUR, fee=3)
    ledger.add("2024-01-03", "BUY", STOCK, 5, price=15, currency=EUR)
    books = ledger.run()
    assert held(books, STOCK) == 2
    [disposal] = books.disposals
    assert (disposal.proceeds_base, disposal.cost_base, disposal.gain_base) == (57, 45, 12)
    assert lots(books, STOCK) == [(D(2), D(30))]
    assert [(r.quantity, r.cost_base) for r in books.positions_rows if r.instrument_id == STOCK] == [(-3, -57), (2, 30)]


def test_negative_cash_holds_the_portfolio_at_the_close_not_within_the_day() -> None:
    prices = STOCK_PRICES
    ledger = Ledger(prices).add("2024-01-01", "BUY", STOCK, 10, price=10, currency=EUR)
    ledger.add("2024-01-01", "DEPOSIT", EUR, 100)
    assert codes(ledger.run()) == []
    ledger.add("2024-01-05", "BUY", STOCK, 1, price=12, currency=EUR)
    books = ledger.run()
    [issue] = books.issues
    assert (issue.code, issue.severity) == ("negative_cash", "hold")
    for part in ("account a", "12.00", "EUR", "2024-01-05", "add a DEPOSIT, or cash: implicit"):
        assert part in issue.message
    assert lots(books, STOCK) == [(D(10), D(100)), (D(1), D(12))]


def test_purchase_paid_in_a_token_disposes_of_the_token() -> None:
    prices = book([(BTC, "2024-01-01", 100, USD), (ETH, "2024-01-01", 10, USD)], [(USD, EUR, "2024-01-01", "0.5")])
    ledger = Ledger(prices, cash_mode="implicit").add("2024-01-01", "BUY", BTC, 1, price=80, currency=USD)
    ledger.add("2024-01-02", "BUY", ETH, 5, price="0.1", currency=BTC)
    books = ledger.run()
    assert gains(books, BTC) == [D(5)]  # half a bitcoin: worth 25, cost 20
    assert lots(books, ETH) == [(D(5), D(25))]
    assert flows(books) == [("trade", D(40))]


class TestSwap:
    prices = book([(BTC, "2024-01-01", 100, EUR), (ETH, "2024-01-01", 10, EUR)])

    def start(self, **choices: object) -> Ledger:
        ledger = Ledger(self.prices, cash_mode="implicit", **choices)
        return ledger.add("2024-01-01", "BUY", BTC, 1, price=80, currency=EUR)

    def test_is_valued_by_what_was_given(self) -> None:
        ledger = self.start().add("2024-01-02T10:00:00", "SWAP_OUT", BTC, 1, group_id="g")
        books = ledger.add("2024-01-02T10:00:00", "SWAP_IN", ETH, 9, group_id="g").run()
        assert gains(books) == [D(20)]
        assert lots(books, ETH) == [(D(9), D(100))]
        assert flows(books) == [("trade", D(80))]

    def test_explicit_price_of_the_out_leg_comes_first(self) -> None:
        ledger = self.start().add("2024-01-02", "SWAP_OUT", BTC, 1, group_id="g", price=90, currency=EUR)
        books = ledger.add("2024-01-02", "SWAP_IN", ETH, 9, group_id="g", price=11, currency=EUR).run()
        assert gains(books) == [D(10)]
        assert lots(books, ETH) == [(D(9), D(90))]

    def test_received_value_where_the_given_has_none(self) -> None:
        ledger = self.start().add("2024-01-02", "AIRDROP", "custom:new", 7)
        ledger.add("2024-01-03", "SWAP_OUT", "custom:new", 7, group_id="g")
        books = ledger.add("2024-01-03", "SWAP_IN", ETH, 2, group_id="g").run()
        assert lots(books, ETH) == [(D(2), D(20))]
        # held before it had a value: what it was worth on leaving is an inflow and no gain of this portfolio
        assert flows(books)[-1] == ("first_valued", D(20))
        assert entries(books, "realized_price") - entries(books, "carried_price") == 0

    def test_fee_in_the_received_and_in_a_third_asset(self) -> None:
        ledger = self.start().add("2024-01-01", "BUY", "crypto:SOL", 1, price=5, currency=EUR)
        ledger.prices = book(
            [(BTC, "2024-01-01", 100, EUR), (ETH, "2024-01-01", 10, EUR), ("crypto:SOL", "2024-01-01", 8, EUR)]
        )
        ledger.add("2024-01-02", "SWAP_OUT", BTC, 1, group_id="g", fee="0.5", fee_currency="crypto:SOL")
        ledger.add("2024-01-02", "SWAP_IN", ETH, 9, group_id="g", fee=1, fee_currency=ETH)
        books = ledger.run()
        assert lots(books, ETH) == [(D(8), D(100))]
        assert gains(books, BTC) == [D(16)]  # 100 - 4 of gas - 80
        assert gains(books, "crypto:SOL") == [D("1.5")]
        assert entries(books, "fee") == 0

    @pytest.mark.parametrize(("fee", "left", "fees"), [(9, 2, 100), (10, 1, 110)])
    def test_a_fee_of_all_that_is_received_is_what_that_had_cost(self, fee: int, left: int, fees: int) -> None:
        ledger = self.start().add("2024-01-01", "BUY", ETH, 2, price=10, currency=EUR)
        ledger.add("2024-01-02", "SWAP_OUT", BTC, 1, group_id="g")
        books = ledger.add("2024-01-02", "SWAP_IN", ETH, 9, group_id="g", fee=fee, fee_currency=ETH).run()
        assert (entries(books, "fee"), entries(books, "trade_fee")) == (fees, 0)
        assert gains(books, BTC) == [D(20)]
        assert held(books, ETH) == left

    def test_wrapping_is_no_disposal(self) -> None:
        from assets.ledger.model import Instrument

        token = "eip155:1/erc20:0xWBTC"
        prices = book([(BTC, "2024-01-01", 100, EUR)], instruments=[Instrument(token, EUR, BTC)])
        ledger = Ledger(prices, cash_mode="implicit").add("2024-01-01", "BUY", BTC, 2, price=80, currency=EUR)
        ledger.add("2024-01-02T10:00:00", "SWAP_OUT", BTC, 1, group_id="g")
        ledger.add("2024-01-02T10:00:00", "SWAP_IN", token, 1, group_id="g")
        books = ledger.run()
        assert not books.disposals
        assert lots(books, token) == [(D(1), D(80))]
        assert lots(books, BTC) == [(D(1), D(80))]
        assert {x.acquired_at.day for x in books.lots} == {1}

    def test_wrapping_into_a_form_priced_in_another_currency(self) -> None:
        """1 unit for 100 EUR becomes a form of 220 USD at 0.50: 10 of price, 0 of currency, the rate never moved."""
        from datetime import date

        from assets.ledger.identity import totals_at
        from assets.ledger.model import Instrument

        token = "eip155:1/erc20:0xWBTC"
        prices = book(
            [(BTC, "2024-01-01", 100, EUR), (token, "2024-01-01", 200, USD), (token, "2024-01-05", 220, USD)],
            [(USD, EUR, "2024-01-01", "0.5")],
            [Instrument(token, USD, BTC)],
        )
        ledger = Ledger(prices, cash_mode="implicit").add("2024-01-01", "BUY", BTC, 1, price=100, currency=EUR)
        ledger.add("2024-01-02", "SWAP_OUT", BTC, 1, group_id="g").add("2024-01-02", "SWAP_IN", token, 1, group_id="g")
        books = ledger.run()
        assert [(x.instrument_id, x.cost_base, x.acquisition_fx) for x in books.lots] == [(token, 100, D("0.5"))]
        assert totals_at(books.positions_rows, books.valuation, date(2024, 1, 5)) == (110, 10, 0)

    def test_lone_leg_is_an_external_flow_with_an_issue(self) -> None:
        books = self.start().add("2024-01-02", "SWAP_OUT", BTC, 1, group_id="g").run()
        assert flows(books)[-1] == ("transfer_out", D(-100))
        assert codes(books) == ["unmatched_swap"]
        assert not books.disposals


def test_split_keeps_cost_and_dates_and_acts_on_its_account() -> None:
    prices = book([(STOCK, "2024-01-01", 10, EUR)])
    ledger = Ledger(prices, cash_mode="implicit", lot_scope="portfolio")
    ledger.add("2024-01-01", "BUY", STOCK, 10, price=10, currency=EUR)
    ledger.add("2024-01-02", "BUY", STOCK, 4, price=20, currency=EUR, account="b")
    ledger.add("2024-01-03", "SPLIT", STOCK, 3)
    books = ledger.run()
    assert lots(books, STOCK, "a") == [(D(30), D(100))]
    assert lots(books, STOCK, "b") == [(D(4), D(80))]
    assert {x.acquired_at.day for x in books.lots} == {1, 2}


def test_lots_are_chosen_across_accounts_when_the_scope_is_the_portfolio() -> None:
    prices = book([(STOCK, "2024-01-01", 10, EUR)])
    for scope, cost in (("portfolio", 10), ("account", 30)):
        ledger = Ledger(prices, cash_mode="implicit", lot_scope=scope)
        ledger.add("2024-01-01", "BUY", STOCK, 1, price=10, currency=EUR, account="a")
        ledger.add("2024-01-02", "BUY", STOCK, 1, price=30, currency=EUR, account="b")
        ledger.add("2024-01-03", "SELL", STOCK, 1, price=50, currency=EUR, account="b")
        books = ledger.run()
        assert [d.cost_base for d in books.disposals] == [cost]
        assert (held(books, STOCK, "a"), held(books, STOCK, "b")) == (1, 0)
        assert lots(books, STOCK, "a") == [(D(1), D(40 - cost))]


def test_in_before_out_at_one_time_stamp() -> None:
    prices = book([(STOCK, "2024-01-01", 10, EUR)])
    ledger = Ledger(prices, cash_mode="implicit").add("2024-01-02T10:00:00", "SELL", STOCK, 1, price=12, currency=EUR)
    books = ledger.add("2024-01-02T10:00:00", "BUY", STOCK, 1, price=10, currency=EUR).run()
    assert gains(books) == [D(2)]
    assert codes(books) == []


def test_bare_dates_keep_file_order() -> None:
    prices = book([(STOCK, "2024-01-01", 10, EUR)])
    ledger = Ledger(prices, cash_mode="implicit").add("2024-01-02", "SELL", STOCK, 1, price=12, currency=EUR)
    books = ledger.add("2024-01-02", "BUY", STOCK, 1, price=10, currency=EUR).run()
    assert codes(books) == ["missing_acquisition"]
    assert held(books, STOCK) == 1
