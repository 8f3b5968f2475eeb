"""Speed and memory of the ledger's engine on made-up portfolios.

    python benchmarks/ledger.py [--portfolios 1000] [--transactions 20] [--cost-basis FIFO]

Half of the transactions are purchases, the rest sales, dividends and rewards, on 50 instruments in two currencies.

Prints seconds, transactions per second and peak memory; the database is not part of it.
"""

import argparse
import random
import resource
import time
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from assets.ledger.engine import process_user
from assets.ledger.model import Instrument, Portfolio, Transaction, end_of_day
from assets.ledger.price_book import PriceBook

START = date(2023, 1, 1)
DAYS = 365


def make_prices(instruments: int, randomness: random.Random) -> PriceBook:
    """A price a day for each instrument, every second one in dollars."""
    book = PriceBook(Instrument(f"equity:S{i}") for i in range(instruments))
    for day in range(DAYS):
        at = end_of_day(START + timedelta(days=day - 1))
        book.add_rate("fiat:USD", "fiat:EUR", at, Decimal(randomness.randint(80, 99)) / 100)
        for i in range(instruments):
            price = Decimal(randomness.randint(1000, 9000)) / 100
            book.add_price(f"equity:S{i}", at, price, "fiat:USD" if i % 2 else "fiat:EUR")
    return book


def make_rows(portfolio_id: str, count: int, instruments: int, randomness: random.Random) -> list[Transaction]:
    """One deposit and then trades and income in order of time."""
    rows = []
    moments = sorted(randomness.randint(0, DAYS * 86400 - 1) for _ in range(count))
    for number, second in enumerate(moments):
        at = datetime(START.year, START.month, START.day, tzinfo=UTC) + timedelta(seconds=second)
        number_of = randomness.randrange(instruments)
        instrument, currency = f"equity:S{number_of}", "fiat:USD" if number_of % 2 else "fiat:EUR"
        kind = (
            "DEPOSIT" if not number else randomness.choice(["BUY", "BUY", "BUY", "SELL", "DIVIDEND", "STAKING_REWARD"])
        )
        quantity = Decimal(randomness.randint(1, 9999)) / 100
        price = Decimal(randomness.randint(1000, 9000)) / 100 if kind in ("BUY", "SELL") else None
        if kind == "DEPOSIT":
            instrument, quantity, currency = "fiat:EUR", Decimal(10**6), "fiat:EUR"
        rows.append(
            Transaction(
                number, f"{portfolio_id}-{number}", portfolio_id, "a", at, False, at.date(), kind, instrument, quantity,
                price, None, currency if kind != "STAKING_REWARD" else None, None, None,
                Decimal("0.5") if price else None, currency if price else None,
            )
        )  # fmt: skip
    return rows


def main() -> None:
    """Make the inputs, run the ledger, print what it took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--portfolios", type=int, default=1000)
    parser.add_argument("--transactions", type=int, default=20, help="per portfolio")
    parser.add_argument("--instruments", type=int, default=50)
    parser.add_argument("--cost-basis", default="FIFO")
    parser.add_argument("--cash", default="ledger")
    options = parser.parse_args()
    randomness = random.Random(1)
    prices = make_prices(options.instruments, randomness)
    seconds, rows = 0.0, 0
    for number in range(options.portfolios):
        portfolio_id = f"p{number}"
        portfolio = Portfolio(portfolio_id, portfolio_id, "fiat:EUR", options.cost_basis, cash_mode=options.cash)
        transactions = make_rows(portfolio_id, options.transactions, options.instruments, randomness)
        begun = time.perf_counter()
        [books] = process_user([portfolio], transactions, [], prices)
        seconds += time.perf_counter() - begun
        rows += len(books.transactions)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{rows} transactions of {options.portfolios} portfolios: {seconds:.2f} s, {rows / seconds:,.0f} rows/s")
    print(f"peak memory {memory:.0f} MB")


if __name__ == "__main__":
    main()
