"""Exchange rates: the two parts of a gain, money in a foreign currency, booked rates, missing rates."""

from decimal import Decimal as D

from tests.unit.ledger.ledgers import EUR, STOCK, USD, Ledger, book, codes, entries, flows, gains, held, lots

RATES = [(USD, EUR, "2024-01-01", "0.5"), (USD, EUR, "2024-01-05", "0.8")]


def test_gain_has_a_price_part_at_the_old_rate_and_a_currency_part() -> None:
    prices = book([(STOCK, "2024-01-01", 100, USD), (STOCK, "2024-01-05", 150, USD)], RATES)
    ledger = Ledger(prices, cash_mode="implicit").add("2024-01-01", "BUY", STOCK, 2, price=100, currency=USD)
    ledger.add("2024-01-05", "SELL", STOCK, 2, price=150, currency=USD)
    books = ledger.run()
    [disposal] = books.disposals
    assert disposal.gain_base == 240 - 100
    assert disposal.gain_currency_base == 90  # q p1 (x1 - x0) = 2 x 150 x 0.3
    assert entries(books, "realized_price") == 50  # q (p1 - p0) x0 = 2 x 50 x 0.5
    assert entries(books, "realized_currency") == 90


def test_booked_rate_is_the_cost_and_the_rate_of_the_lot() -> None:
    prices = book([(STOCK, "2024-01-01", 100, USD)], RATES)
    ledger = Ledger(prices, cash_mode="implicit")
    books = ledger.add("2024-01-01", "BUY", STOCK, 2, price=100, currency=USD, fx_rate="0.52", fee=1).run()
    [lot] = books.lots
    assert (lot.cost_base, lot.acquisition_fx) == (D("104.52"), D("0.52"))
    [position] = books.positions_rows
    assert position.quantity_at_cost_fx == D("1.04")


def test_foreign_money_has_an_average_cost_and_only_a_currency_gain() -> None:
    ledger = Ledger(book([], RATES)).add("2024-01-01", "DEPOSIT", USD, 100).add("2024-01-05", "DEPOSIT", USD, 100)
    ledger.add("2024-01-06", "FEE", USD, 50)
    books = ledger.run()
    # 200 USD cost 50 + 80 = 130, so 50 USD cost 32.50 and are worth 40
    assert entries(books, "realized_currency") == D("7.5")
    assert entries(books, "realized_price") == 0
    assert entries(books, "fee") == 40
    assert not books.disposals
    assert books.positions_rows[-1].cost_base == D("97.5")
    assert books.positions_rows[-1].quantity_at_cost_fx == D("97.5")


def test_trade_in_foreign_money_at_a_booked_rate_conserves_value() -> None:
    prices = book([(STOCK, "2024-01-01", 10, USD)], RATES)
    ledger = Ledger(prices).add("2024-01-01", "DEPOSIT", USD, 100)
    ledger.add("2024-01-05", "BUY", STOCK, 5, price=10, currency=USD, fx_rate="0.75")
    ledger.add("2024-01-06", "SELL", STOCK, 5, price=12, currency=USD, fx_rate="0.79", fee=1)
    books = ledger.run()
    assert held(books, USD) == 109
    assert gains(books) == [D(59) * D("0.79") - D(50) * D("0.75")]
    assert entries(books, "realized_currency") > 0


def test_withdrawal_of_foreign_money_carries_its_gain_out() -> None:
    ledger = Ledger(book([], RATES)).add("2024-01-01", "DEPOSIT", USD, 100).add("2024-01-05", "WITHDRAWAL", USD, 100)
    books = ledger.run()
    assert flows(books) == [("deposit", D(50)), ("withdrawal", D(-80))]
    assert entries(books, "carried_currency") == -30
    assert entries(books, "realized_currency") == 0


def test_debt_in_foreign_money_gains_when_the_currency_falls() -> None:
    prices = book([(STOCK, "2024-01-01", 10, EUR)], [(USD, EUR, "2024-01-01", "0.8"), (USD, EUR, "2024-01-03", "0.5")])
    ledger = Ledger(prices).add("2024-01-01", "BUY", STOCK, 10, price=10, currency=USD)
    ledger.add("2024-01-03", "DEPOSIT", USD, 100)
    books = ledger.run()
    assert entries(books, "realized_currency") == 30
    assert codes(books) == ["negative_cash"]
    assert held(books, USD) == 0


def test_missing_rate_is_never_one_and_what_waits_enters_with_its_first_rate() -> None:
    prices = book([], [(USD, EUR, "2024-01-03", "0.5")])
    ledger = Ledger(prices).add("2024-01-01", "DEPOSIT", USD, 100).add("2024-01-02", "FEE", USD, 10)
    books = ledger.run()
    assert flows(books) == [("deposit", None), ("first_valued", D(45))]
    assert codes(books) == ["missing_fx", "first_valued"]
    assert [(str(r.valid_from), r.quantity, r.cost_base) for r in books.positions_rows] == [
        ("2024-01-01", 100, None),
        ("2024-01-02", 90, None),
        ("2024-01-03", 90, 45),
    ]


def test_exchange_of_two_currencies() -> None:
    ledger = Ledger(book([], RATES)).add("2024-01-01", "DEPOSIT", EUR, 100)
    ledger.add("2024-01-02", "BUY", USD, 100, price="0.52", currency=EUR)
    ledger.add("2024-01-05", "SELL", USD, 100, price="0.79", currency=EUR)
    books = ledger.run()
    assert held(books, EUR) == 127
    assert held(books, USD) == 0
    assert entries(books, "realized_currency") == 27


def test_purchase_without_any_rate_counts_once_the_rate_is_known() -> None:
    prices = book([(STOCK, "2024-01-01", 10, USD)], [(USD, EUR, "2024-01-05", "0.5")])
    ledger = Ledger(prices).add("2024-01-01", "DEPOSIT", USD, 100)
    ledger.add("2024-01-02", "BUY", STOCK, 5, price=10, currency=USD)
    books = ledger.run()
    assert sorted(flows(books), key=str) == sorted(
        [("deposit", None), ("first_valued", D(25)), ("first_valued", D(25))], key=str
    )
    assert lots(books, STOCK) == [(D(5), D(25))]


def test_buying_base_money_at_a_dealers_rate_books_the_difference_as_currency() -> None:
    ledger = Ledger(book([], RATES)).add("2024-01-01", "DEPOSIT", USD, 100)
    ledger.add("2024-01-02", "BUY", EUR, 49, amount=100, currency=USD)  # the market would have given 50
    books = ledger.run()
    assert entries(books, "realized_currency") == -1
    assert [
        (row.instrument_id, row.quantity, row.cost_base) for row in books.positions_rows if row.valid_to is None
    ] == [(EUR, 49, 49)]


def test_stamped_purchase_on_the_first_day_of_a_daily_rate_takes_that_days_rate() -> None:
    """A purchase below the day's close is a gain of that day, the first one too: 90 USD paid, 100 USD at the close."""
    prices = book([(STOCK, "2024-01-02", 100, USD)], [(USD, EUR, "2024-01-02", "0.5")])
    books = (
        Ledger(prices, cash_mode="implicit").add("2024-01-02T10:00:00", "BUY", STOCK, 1, price=90, currency=USD).run()
    )
    assert flows(books) == [("trade", D(45))]
    assert [(x.cost_base, x.acquisition_fx) for x in books.lots] == [(45, D("0.5"))]
    assert codes(books) == []
    ledger = Ledger(prices).add("2024-01-02T09:00:00", "DEPOSIT", USD, 100)
    ledger.add("2024-01-02T10:00:00", "BUY", STOCK, 1, price=90, currency=USD)
    books = ledger.add("2024-01-02T11:00:00", "SELL", STOCK, 1, price=95, currency=USD).run()
    assert flows(books) == [("deposit", D(50))]
    assert gains(books) == [D("2.5")]


def test_a_rate_of_the_next_day_is_not_known_yet() -> None:
    prices = book([(STOCK, "2024-01-02", 100, USD)], [(USD, EUR, "2024-01-03", "0.5")])
    books = (
        Ledger(prices, cash_mode="implicit").add("2024-01-02T10:00:00", "BUY", STOCK, 1, price=90, currency=USD).run()
    )
    assert flows(books) == [("trade", None), ("first_valued", D(50))]
    assert codes(books) == ["missing_fx", "first_valued"]
