"""Cases whose figures other projects published in their own test suites (facts only; the source stands with each case)."""

from datetime import date
from decimal import Decimal as D

import pytest

from assets.ledger.identity import totals_at
from tests.unit.ledger.ledgers import BTC, ETH, EUR, STOCK, USD, Ledger, book, codes, entries, flows, gains, held, lots

CHF = "fiat:CHF"


def test_rotki_average_cost_sequence() -> None:
    """rotki/rotki, tests/unit/test_cost_basis.py, test_accounting_average_cost_basis."""
    ledger = Ledger(book([(ETH, "2023-02-04", 5, EUR)]), cash_mode="implicit", cost_basis="ACB", lot_scope="portfolio")
    steps = [
        ("BUY", 2, 10), ("SELL", 1, 15), ("BUY", 1, 30), ("SELL", "1.5", 10), ("BUY", 3, 20), ("SELL", 2, 30),
        ("SELL", "1.5", 10), ("BUY", 1, 10), ("SELL", "0.5", 5), ("SELL", "0.6", 5), ("SELL", "0.5", 5),
    ]  # fmt: skip
    for second, (kind, quantity, price) in enumerate(steps):
        ledger.add(f"2023-02-04T04:00:{second:02}", kind, ETH, quantity, price=price, currency=EUR)
    books = ledger.run()
    by_step: dict[int, D] = {}
    missing: dict[int, D] = {}
    for d in books.disposals:
        step = d.disposed_at.second + 1
        by_step[step] = by_step.get(step, D(0)) + (d.gain_base or 0)
        if d.is_missing_acquisition:
            missing[step] = missing.get(step, D(0)) + d.quantity
    expected = {2: "5", 4: "-15", 6: "20", 7: "-15", 9: "-2.5", 10: "-2", 11: "2.5"}
    assert by_step.keys() == expected.keys()
    for step, gain in expected.items():
        assert by_step[step] == pytest.approx(D(gain), abs=D("1e-40"))
    assert missing == {10: D("0.1"), 11: D("0.5")}
    assert not books.lots
    assert codes(books) == ["missing_acquisition", "missing_acquisition"]


def test_rotki_sale_without_purchase() -> None:
    """rotki/rotki, tests/unit/accounting/test_basic.py, test_no_corresponding_buy_for_sell."""
    ledger = Ledger(book([(BTC, "2016-10-20", "2519.62", EUR)]), cash_mode="implicit")
    ledger.add("2016-10-20T16:08:55", "SELL", BTC, 1, price="2519.62", currency=EUR)
    books = ledger.add("2016-10-20T16:08:55", "FEE", EUR, "0.02").run()
    assert gains(books) == [D("2519.62")]
    assert books.disposals[0].is_missing_acquisition
    assert entries(books, "fee") == D("0.02")


@pytest.mark.parametrize(
    ("method", "rows", "taken", "left"),
    [
        (
            "LIFO",
            [("BUY", 2, 1), ("BUY", 5, 1), ("SELL", 3, 1), ("BUY", 1, 1), ("SELL", 4, 1)],
            [(20, 10, 3), (40, 30, 1), (40, 10, 2), (40, 0, 1)],
            [(0, 1)],
        ),
        (
            "HIFO",
            [("BUY", 2, 3), ("BUY", 5, 1), ("SELL", 1, 1), ("BUY", 1, 2), ("SELL", 6, 2)],
            [(20, 0, 1), (40, 0, 1), (40, 30, 1), (40, 10, 4)],
            [(10, 1)],
        ),
    ],
)
def test_rotki_order_of_lots(
    method: str, rows: list[tuple[str, int, int]], taken: list[tuple[int, int, int]], left: list[tuple[int, int]]
) -> None:
    """rotki/rotki, tests/unit/test_cost_basis.py, test_accounting_lifo_order and test_accounting_hifo_order."""
    ledger = Ledger(book([(BTC, "2021-03-01", 1, EUR)]), cash_mode="implicit", cost_basis=method)
    for number, (kind, quantity, price) in enumerate(rows):
        ledger.add(f"2021-03-01T00:00:{number * 10:02}", kind, BTC, quantity, price=price, currency=EUR)
    books = ledger.run()
    found = [(d.disposed_at.second, d.acquired_at.second if d.acquired_at else -1, d.quantity) for d in books.disposals]
    assert found == taken
    assert [(x.acquired_at.second, x.quantity) for x in books.lots] == left


def test_rotki_fees_booked_apart() -> None:
    """rotki/rotki, tests/unit/test_cost_basis.py, test_fees."""
    ledger = Ledger(book([(ETH, "2023-02-28", 90, EUR)]), cash_mode="implicit")
    rows = [("BUY", 100, 50), ("SELL", 50, 120), ("BUY", 50, 130), ("SELL", 40, 90)]
    for second, (kind, quantity, price) in enumerate(rows, 33):
        when = f"2023-02-28T14:04:{second}"
        ledger.add(when, kind, ETH, quantity, price=price, currency=EUR).add(when, "FEE", EUR, 10)
    books = ledger.run()
    assert gains(books) == [D(3500), D(1600)]
    assert entries(books, "fee") == 40
    assert entries(books, "realized_price") - entries(books, "fee") == 5060


@pytest.mark.parametrize("method", ["FIFO", "ACB"])
def test_portfolio_performance_buy_sell(method: str) -> None:
    """portfolio-performance/portfolio, CostCalculationTest and CapitalGainsCalculationTest."""
    ledger = Ledger(book([(STOCK, "2010-01-01", 30, EUR)]), cash_mode="implicit", cost_basis=method)
    ledger.add("2010-01-01", "BUY", STOCK, 109, price="28.89174311926605504587155963", currency=EUR)
    ledger.add("2010-02-01", "SELL", STOCK, 15, price="35.43333333333333333333333333", currency=EUR)
    ledger.add("2010-03-01", "BUY", STOCK, 52, price="32.40230769230769230769230769", currency=EUR)
    ledger.add("2010-03-01", "BUY", STOCK, 32, price="29.978125", currency=EUR)
    books = ledger.run()
    assert sum(cost or 0 for _, cost in lots(books, STOCK)) == pytest.approx(D("5360.04385"), abs=D("1e-5"))
    assert sum(g or 0 for g in gains(books)) == pytest.approx(D("98.12"), abs=D("0.005"))
    assert held(books, STOCK) == 178


@pytest.mark.parametrize(("method", "cost"), [("FIFO", "49.49368372"), ("ACB", "49.573359292")])
def test_portfolio_performance_bitcoin(method: str, cost: str) -> None:
    """portfolio-performance/portfolio, TradeCollector4Test with trade_test_case4.xml."""
    ledger = Ledger(book([(BTC, "2020-01-25", 7700, EUR)]), cash_mode="implicit", cost_basis=method)
    ledger.add("2020-01-25", "BUY", BTC, "0.001301", price="7686.395080707148347425057648", currency=EUR)
    ledger.add("2020-01-25", "BUY", BTC, "0.012824", price="7797.878976918278228321896444", currency=EUR)
    ledger.add("2020-11-21", "SELL", BTC, "0.00636567", price="15709.265481873864023739842", currency=EUR)
    books = ledger.run()
    assert sum(d.cost_base or 0 for d in books.disposals) == pytest.approx(D(cost), abs=D("1e-8"))


@pytest.mark.parametrize("method", ["FIFO", "ACB"])
def test_portfolio_performance_transfer_keeps_cost(method: str) -> None:
    """portfolio-performance/portfolio, Issue371PurchaseValueWithTransfersTest."""
    prices = book([(STOCK, "2012-01-02", "50.8", EUR), (STOCK, "2015-11-20", "88.09", EUR)])
    ledger = Ledger(prices, cost_basis=method)
    ledger.add("2012-01-01", "DEPOSIT", EUR, "100692.68")
    ledger.add("2012-01-02", "BUY", STOCK, 47, price="50.8", currency=EUR, fee=10)
    ledger.add("2015-11-20", "TRANSFER_OUT", STOCK, 47, group_id="g")
    books = ledger.add("2015-11-20", "TRANSFER_IN", STOCK, 47, group_id="g", account="b").run()
    assert lots(books, STOCK, "b") == [(D(47), D("2397.6"))]
    assert not books.disposals
    assert not [f for f in books.flows if f.flow_date.year == 2015]


def test_portfolio_performance_dollars_in_euro() -> None:
    """portfolio-performance/portfolio, ClientPerformanceSnapshotTest.testCurrencyGainsWithIntermediateTransactions.

    1000 dollars are 830.36 euro on the second day and the 680 that are left are 580.80 at the end.
    """
    dates = {"2015-01-01": "1.2141", "2015-01-02": "1.2043", "2015-01-12": "1.1804", "2015-01-15": "1.1708"}
    ledger = Ledger(book([], [(EUR, USD, day, rate) for day, rate in dates.items()]))
    ledger.add("2015-01-01", "DEPOSIT", USD, 1000).add("2015-01-05", "DEPOSIT", USD, 200)
    books = ledger.add("2015-01-10", "WITHDRAWAL", USD, 500).add("2015-01-12", "FEE", USD, 20).run()
    value = {day: totals_at(books.positions_rows, books.valuation, date.fromisoformat(day))[0] for day in dates}
    assert value["2015-01-02"] == pytest.approx(D("830.36"), abs=D("0.005"))
    assert value["2015-01-15"] == pytest.approx(D("580.80"), abs=D("0.005"))
    assert entries(books, "fee") == pytest.approx(20 / D("1.1804"))


def test_ghostfolio_dollar_asset_in_francs() -> None:
    """ghostfolio/ghostfolio, portfolio-calculator-btcusd-buy-and-sell-partially.spec.ts."""
    prices = book(
        [(BTC, "2015-01-01", "320.43", USD), (BTC, "2017-12-31", "14156.4", USD), (BTC, "2018-01-01", "13657.2", USD)],
        [
            (CHF, USD, "2015-01-01", "1.005924897647141664403335647"),
            (CHF, USD, "2017-12-31T00:00:00", "1.021763563911310922652498212"),
            (CHF, USD, "2018-01-01T00:00:00", "1.026978731270475388454705103"),
        ],
    )
    ledger = Ledger(prices, cash_mode="implicit", cost_basis="ACB", lot_scope="portfolio", base=CHF)
    ledger.add("2015-01-01", "BUY", BTC, 2, price="320.43", currency=USD)
    books = ledger.add("2017-12-31", "SELL", BTC, 1, price="14156.4", currency=USD).run()
    [(quantity, cost)] = lots(books, BTC)
    assert quantity == 1
    assert cost == pytest.approx(D("318.5426673"), abs=D("1e-6"))
    end_value = D("13657.2") / D("1.026978731270475388454705103")
    net_flows = sum(amount or 0 for _, amount in flows(books))
    assert end_value == pytest.approx(D("13298.425356"), abs=D("1e-6"))
    assert end_value - net_flows == pytest.approx(D("26516.2087014"), abs=D("1e-6"))


def test_ghostfolio_fees_on_both_sides() -> None:
    """ghostfolio/ghostfolio, portfolio-calculator-baln-buy-and-sell.spec.ts."""
    ledger = Ledger(book([(STOCK, "2021-11-22", "142.9", CHF)]), cash_mode="implicit", cost_basis="ACB", base=CHF)
    ledger.add("2021-11-22", "BUY", STOCK, 2, price="142.9", currency=CHF, fee="1.55")
    books = ledger.add("2021-11-30", "SELL", STOCK, 2, price="136.6", currency=CHF, fee="1.65").run()
    assert gains(books) == [D("-15.80")]
    assert not books.lots


def test_ghostfolio_split() -> None:
    """ghostfolio/ghostfolio, portfolio-calculator-stock-split.spec.ts."""
    ledger = Ledger(book([(STOCK, "2020-01-01", 100, EUR), (STOCK, "2021-01-01", 60, EUR)]), cash_mode="implicit")
    ledger.add("2020-01-01", "BUY", STOCK, 10, price=100, currency=EUR).add("2021-01-01", "SPLIT", STOCK, 2)
    books = ledger.add("2021-01-01", "SELL", STOCK, 5, price=60, currency=EUR).run()
    assert lots(books, STOCK) == [(D(15), D(750))]
    assert gains(books) == [D(50)]
