"""Money that is borrowed in a margin account: the debt, its rate, its interest, its repayment."""

from datetime import date
from decimal import Decimal as D

import pytest

from assets.ledger.books import Books
from assets.ledger.identity import totals_at
from tests.unit.ledger.ledgers import EUR, STOCK, USD, Ledger, book, codes, entries, flows, gains, held, lots

MARGIN = frozenset({"a"})
RATES = [
    (USD, EUR, "2024-01-01", "0.9"),
    (USD, EUR, "2024-01-03", "0.8"),
    (USD, EUR, "2024-01-05", "0.75"),
]
PRICES = [
    (STOCK, "2024-01-02", "99.5", USD),
    (STOCK, "2024-01-03", 110, USD),
    (STOCK, "2024-01-05", 120, USD),
]


def bought_on_margin(**choices: object) -> Ledger:
    """1,000 EUR of one's own, 20 shares for borrowed dollars, interest, and half of them sold again."""
    ledger = Ledger(book(PRICES, RATES), **({"margin_accounts": MARGIN} | choices))
    ledger.add("2024-01-01", "DEPOSIT", EUR, 1000)
    ledger.add("2024-01-02", "BUY", STOCK, 20, price="99.5", currency=USD)
    ledger.add("2024-01-04", "INTEREST_CHARGE", USD, 10)
    return ledger.add("2024-01-05", "SELL", STOCK, 10, price=120, currency=USD)


def value(books: Books, day: str) -> D:
    return totals_at(books.positions_rows, books.valuation, date.fromisoformat(day))[0]


@pytest.mark.parametrize("method", ["FIFO", "LIFO", "HIFO", "ACB"])
@pytest.mark.parametrize("scope", ["account", "portfolio"])
def test_a_debt_in_dollars_of_a_portfolio_in_euro(method: str, scope: str) -> None:
    """By hand, in EUR, 1 USD = 0.90, from the 3rd 0.80, from the 5th 0.75; the share 99.5, 110, from the 5th 120 USD.

    day   20 shares           debt                        own    value
    2nd   20 x 99.5 x 0.90    -1990 x 0.90 = -1791        1000   1000
    3rd   20 x 110 x 0.80     -1990 x 0.80 = -1592        1000   1168
    4th   1760                -2000 x 0.80 = -1600        1000   1160  (10 USD of interest cost 8)
    5th   10 x 120 x 0.75     -800 x 0.75 = -600          1000   1300  (1,200 USD from 10 shares repay that much)

    2,000 USD were borrowed for 1791 + 8 = 1799, each for 0.8995. Repaying 1,200 of them, borrowed for 1079.40, costs 900:
    179.40 gained. The 800 that are left were borrowed for 719.60 and are 600: 119.60 gained, not realised. The share:
    900 less 895.50 realised, 4.50 (184.50 of price, -180 of currency), and as much again not realised. All in all
    179.4 + 119.6 + 4.5 + 4.5 - 8 = 300 = 1300 - 1000.
    """
    books = bought_on_margin(cost_basis=method, lot_scope=scope).run()
    assert codes(books) == []
    assert [value(books, f"2024-01-0{day}") for day in (1, 2, 3, 4, 5)] == [1000, 1000, 1168, 1160, 1300]
    assert entries(books, "fee") == 8
    assert entries(books, "realized_price") == D("184.5")
    assert entries(books, "realized_currency") == D("179.4") - 180
    assert gains(books) == [D("4.5")]  # money leaves no row among the disposals
    _, of_price, of_currency = totals_at(books.positions_rows, books.valuation, date(2024, 1, 5))
    assert (of_price, of_currency) == (D("184.5"), D("119.6") - 180)
    assert lots(books, USD) == [(D(-800), D("-719.6"))]
    [debt] = [lot for lot in books.lots if lot.instrument_id == USD]
    assert (debt.lot_id, debt.acquired_at.day, debt.unit_cost) == ("short-t2", 2, D("0.8995"))


def test_a_deposit_repays_the_debt_and_what_is_left_of_it_is_held() -> None:
    """800 USD were borrowed for 719.60 and are repaid with 600; 200 USD stay, which cost 150."""
    books = bought_on_margin().add("2024-01-06", "DEPOSIT", USD, 1000).run()
    assert flows(books)[-1] == ("deposit", 750)
    assert entries(books, "realized_currency", "2024-01-06") == D("119.6")
    assert lots(books, USD) == [(D(200), D(150))]
    assert value(books, "2024-01-06") == 1300 + 750


def test_borrowed_base_currency_is_a_short_lot_of_the_day_it_was_borrowed() -> None:
    prices = book([(STOCK, "2024-01-01", 10, EUR)])
    ledger = Ledger(prices, margin_accounts=MARGIN).add("2024-01-01", "DEPOSIT", EUR, 100)
    ledger.add("2024-01-02", "BUY", STOCK, 15, price=10, currency=EUR)
    books = ledger.run()
    [debt] = [lot for lot in books.lots if lot.instrument_id == EUR]
    assert (debt.lot_id, debt.acquired_at.day, debt.quantity, debt.cost_base) == ("short-t2", 2, -50, -50)
    assert value(books, "2024-01-02") == 100
    books = ledger.add("2024-01-03", "DEPOSIT", EUR, 80).run()
    [cash] = [lot for lot in books.lots if lot.instrument_id == EUR]
    assert (cash.lot_id, cash.acquired_at.day, cash.quantity, cash.cost_base) == ("lot-t3", 3, 30, 30)


@pytest.mark.parametrize("choices", [{"margin_accounts": frozenset()}, {"margin_accounts": {"b"}, "allow_short": True}])
def test_only_the_margin_of_the_account_itself_declares_a_debt(choices: dict[str, object]) -> None:
    books = bought_on_margin(**choices).run()
    [issue] = books.issues
    assert (issue.code, issue.severity) == ("negative_cash", "hold")
    for part in ("account a owes 1,990.00 USD at the close of 2024-01-02", "DEPOSIT", "cash: implicit", "margin: true"):
        assert part in issue.message


def test_the_debt_of_another_currency_does_not_use_up_the_own_one() -> None:
    books = bought_on_margin().run()
    assert (held(books, EUR), held(books, USD)) == (1000, -800)


class TestTransfer:
    """100 USD leave a margin account that owes 1,990 for an account without margin."""

    def start(self, when: str, *, portfolio: str = "p") -> Ledger:
        ledger = Ledger(book(PRICES, RATES), margin_accounts=MARGIN).portfolio("q")
        ledger.add("2024-01-02", "BUY", STOCK, 20, price="99.5", currency=USD)
        ledger.add(when, "TRANSFER_IN", USD, 100, account="b", portfolio=portfolio, group_id="g")
        return ledger.add(when, "TRANSFER_OUT", USD, 100, group_id="g")

    @pytest.mark.parametrize("when", ["2024-01-03", "2024-01-03T10:00:00"])
    def test_inside_the_portfolio_borrows_more_and_changes_no_value(self, when: str) -> None:
        books, _ = self.start(when).run_all()
        assert codes(books) == []
        assert (held(books, USD), held(books, USD, "b")) == (-2090, 100)
        assert flows(books) == []
        assert value(books, "2024-01-03") == 20 * 110 * D("0.8") - 1990 * D("0.8")

    def test_back_again_repays_what_was_borrowed(self) -> None:
        ledger = self.start("2024-01-03").add("2024-01-04", "TRANSFER_OUT", USD, 100, account="b", group_id="h")
        books, _ = ledger.add("2024-01-04", "TRANSFER_IN", USD, 100, group_id="h").run_all()
        assert (codes(books), held(books, USD), held(books, USD, "b")) == ([], -1990, 0)

    def test_to_another_portfolio_is_a_flow_at_the_rate_of_its_moment(self) -> None:
        """At ten in the morning of the 3rd the rate is still that of the 1st; a debt is no reason to wait for the close."""
        one, other = self.start("2024-01-03T10:00:00", portfolio="q").run_all()
        assert (flows(one), flows(other)) == ([("transfer_out", -90)], [("transfer_in", 90)])
        assert (codes(one), codes(other)) == ([], [])
        assert (held(one, USD), held(other, USD, "b")) == (-2090, 100)


def test_an_observed_debt_is_compared_like_any_balance() -> None:
    ledger = bought_on_margin().balance("2024-01-04", USD, -2000).balance("2024-01-05", USD, -790)
    books = ledger.run()
    assert [(row.derived_quantity, row.difference, row.status) for row in books.reconciliation] == [
        (-2000, 0, "matched"), (-800, 10, "mismatch"),
    ]  # fmt: skip
