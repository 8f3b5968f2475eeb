"""What becomes of a position: through zero, empty and open again, wrapped, bridged, short of a purchase."""

from decimal import Decimal as D

from assets.ledger.model import Instrument
from tests.unit.ledger.ledgers import ETH, EUR, STOCK, Ledger, book, entries, gains, lots


def test_a_sale_through_zero_closes_the_lots_and_opens_a_short_one_that_a_split_grows() -> None:
    """2 held at 10, 5 sold at 20 with a fee of 5: 2/5 of the fee lowers the gain, 3/5 what the short brought.

    A split makes 6 owed for 57; 10 bought at 8 with a fee of 10 cost 9 each: 57 - 54 is gained and 4 stay at 36.
    """
    prices = book([(STOCK, "2024-01-01", 20, EUR), (STOCK, "2024-01-03", 9, EUR)])
    ledger = Ledger(prices, allow_short=True, cash_mode="implicit")
    ledger.add("2024-01-01", "BUY", STOCK, 2, price=10, currency=EUR)
    ledger.add("2024-01-02", "SELL", STOCK, 5, price=20, currency=EUR, fee=5).add("2024-01-03", "SPLIT", STOCK, 2)
    books = ledger.add("2024-01-04", "BUY", STOCK, 10, price=8, currency=EUR, fee=10).run()
    assert gains(books) == [D(18), D(3)]
    assert lots(books, STOCK) == [(D(4), D(36))]
    assert [(r.valid_from.day, r.quantity, r.cost_base) for r in books.positions_rows] == [
        (1, 2, 20), (2, -3, -57), (3, -6, -57), (4, 4, 36),
    ]  # fmt: skip


def test_what_is_bought_later_does_not_cost_what_was_sold_before() -> None:
    prices = book([(STOCK, "2024-01-01", 10, EUR)])
    ledger = Ledger(prices, cash_mode="implicit").add("2024-01-01", "SELL", STOCK, 2, price=10, currency=EUR)
    ledger.add("2024-01-02", "BUY", STOCK, 2, price=20, currency=EUR)
    books = ledger.add("2024-01-03", "SELL", STOCK, 1, price=25, currency=EUR).run()
    assert [(d.gain_base, d.is_missing_acquisition) for d in books.disposals] == [(20, True), (5, False)]
    assert lots(books, STOCK) == [(D(1), D(20))]


def test_fees_of_wrapping_are_disposals_at_market_value() -> None:
    """Gas in the given form on top, a fee in the received form out of what arrives."""
    token = "eip155:1/erc20:0xWETH"
    prices = book([(ETH, "2024-01-01", 100, EUR)], instruments=[Instrument(token, None, ETH)])
    ledger = Ledger(prices, cash_mode="implicit").add("2024-01-01", "BUY", ETH, 2, price=50, currency=EUR)
    ledger.add("2024-01-02", "SWAP_OUT", ETH, 1, group_id="g", fee="0.1", fee_currency=ETH)
    books = ledger.add("2024-01-02", "SWAP_IN", token, 1, group_id="g", fee="0.01", fee_currency=token).run()
    assert (lots(books, ETH), lots(books, token)) == ([(D("0.9"), D(45))], [(D("0.99"), D("49.5"))])
    assert entries(books, "fee") == 11
    assert gains(books) == [D(5), D("0.5")]


def test_a_bridge_keeps_lots_dates_and_cost_across_accounts_and_chains() -> None:
    """A transfer whose legs name two instances of one asset; what the bridge kept is a fee."""
    here, there = "eip155:1/slip44:60", "eip155:10/slip44:60"
    prices = book([(ETH, "2024-01-01", 100, EUR)], instruments=[Instrument(x, None, ETH) for x in (here, there)])
    ledger = Ledger(prices, cash_mode="implicit")
    ledger.add("2024-01-01T08:00:00", "BUY", here, 1, price=50, currency=EUR)
    ledger.add("2024-01-02T08:00:00", "BUY", here, 1, price=70, currency=EUR)
    ledger.add("2024-01-03T08:00:00", "TRANSFER_OUT", here, 2, group_id="g")
    books = ledger.add("2024-01-03T08:20:00", "TRANSFER_IN", there, "1.99", group_id="g", account="b").run()
    assert [(x.instrument_id, x.quantity, x.cost_base, x.acquired_at.day) for x in books.lots] == [
        (there, 1, 50, 1), (there, D("0.99"), D("69.3"), 2),
    ]  # fmt: skip
    assert (entries(books, "fee"), gains(books)) == (1, [D("0.3")])


def test_a_position_that_opens_again_starts_a_new_lot_and_average() -> None:
    prices = book([(STOCK, "2024-01-01", 10, EUR)])
    for method in ("FIFO", "ACB"):
        ledger = Ledger(prices, cash_mode="implicit", cost_basis=method)
        ledger.add("2024-01-01", "BUY", STOCK, 1, price=10, currency=EUR)
        ledger.add("2024-01-02", "SELL", STOCK, 1, price=12, currency=EUR)
        books = ledger.add("2024-01-04", "BUY", STOCK, 1, price=30, currency=EUR).run()
        assert [(x.cost_base, x.acquired_at.day) for x in books.lots] == [(30, 4)]
        held_on = [(str(r.valid_from), str(r.valid_to)) for r in books.positions_rows]
        assert held_on == [("2024-01-01", "2024-01-02"), ("2024-01-04", "None")]
