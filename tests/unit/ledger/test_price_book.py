"""Prices and rates: never later, never 1 by default."""

from datetime import UTC, datetime
from decimal import Decimal as D

from assets.ledger.model import Instrument
from tests.unit.ledger.ledgers import BTC, ETH, EUR, STOCK, USD, book

CHF = "fiat:CHF"
NOON = datetime(2024, 1, 2, 12, tzinfo=UTC)
LATER = datetime(2024, 1, 9, tzinfo=UTC)


def test_last_price_at_or_before_and_never_a_later_one() -> None:
    prices = book([(BTC, "2024-01-02", 3, EUR), (BTC, "2024-01-01", 2, EUR), (BTC, "2024-01-02T12:00:00", 5, EUR)])
    assert prices.price(BTC, NOON) == 5
    assert prices.price(BTC, NOON.replace(hour=11)) == 2
    assert prices.price(BTC, NOON.replace(day=1, hour=1)) is None
    assert prices.price(BTC, LATER) == 3


def test_rate_direct_inverse_and_one_cross_through_usd() -> None:
    rates = book([], [(CHF, USD, "2024-01-01", "1.25"), (EUR, USD, "2024-01-01", "1.5")])
    assert rates.rate(EUR, EUR, NOON) == 1
    assert rates.rate(CHF, USD, NOON) == D("1.25")
    assert rates.rate(USD, CHF, NOON) == D("0.8")
    assert rates.rate(CHF, EUR, NOON) == D("1.25") * (1 / D("1.5"))
    assert rates.rate("fiat:JPY", EUR, NOON) is None
    assert rates.rate(CHF, EUR, NOON.replace(day=1)) is None


def test_value_takes_the_canonical_price_and_tokens_as_currency() -> None:
    token = "eip155:10/slip44:60"
    prices = book(
        [(ETH, "2024-01-01", "0.1", BTC), (BTC, "2024-01-01", 100, USD)],
        [(USD, EUR, "2024-01-01", "0.5")],
        [Instrument(token, None, ETH)],
    )
    view = prices.valuation(EUR)
    assert view.unit_value(token, NOON) == 5
    assert view.price_and_rate(token, NOON) == (D("0.1"), 50)
    assert view.quote(token) == BTC
    assert view.unit_value(STOCK, NOON) is None
    known_from = view.known_from(token)
    assert known_from is not None
    assert known_from.day == 1


def test_value_is_known_from_the_later_of_price_and_rate() -> None:
    prices = book([(STOCK, "2024-01-01", 10, USD)], [(EUR, USD, "2024-01-03", 2)])
    known_from = prices.valuation(EUR).known_from(STOCK)
    assert known_from is not None
    assert known_from.day == 3
    assert prices.valuation(EUR).unit_value(STOCK, NOON) is None
    assert prices.valuation(EUR).unit_value(STOCK, LATER) == 5
    assert prices.valuation(CHF).known_from(STOCK) is None


def test_cross_through_another_base_currency_and_prices_of_another_instrument() -> None:
    from assets.ledger.price_book import PriceBook

    prices = PriceBook([Instrument(STOCK, pricing_instrument=ETH)], hubs=[EUR, CHF], with_token_quotes=False)
    prices.add_rate("fiat:GBP", EUR, NOON, D(2))
    prices.add_rate(EUR, CHF, NOON, D(3))
    prices.add_price(STOCK, NOON, D(1), EUR)
    prices.add_price(ETH, NOON, D(5), EUR)
    prices.add_price(BTC, NOON, D(7), ETH)
    assert prices.rate("fiat:GBP", CHF, LATER) == 6
    assert prices.rate_known_from("fiat:GBP", CHF) == NOON
    assert prices.valuation(CHF).unit_value(STOCK, LATER) == 15
    assert prices.valuation(CHF).unit_value(BTC, LATER) is None
    assert prices.valuation(CHF).known_from(BTC) is None


def test_a_pair_that_a_central_bank_tells_in_euros_alone_is_crossed_through_the_euro() -> None:
    from assets.ledger.price_book import PriceBook

    prices = PriceBook(hubs=["fiat:GBP"])
    prices.add_rate(USD, EUR, NOON, D("0.8"))
    prices.add_rate(EUR, "fiat:GBP", LATER, D("0.5"))
    assert prices.rate(USD, "fiat:GBP", NOON) is None
    assert prices.rate(USD, "fiat:GBP", LATER) == D("0.4")
    assert prices.rate_known_from(USD, "fiat:GBP") == LATER
