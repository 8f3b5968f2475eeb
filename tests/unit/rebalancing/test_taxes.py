"""Gains of sales by hand, lot by lot."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from assets.rebalancing.taxes import OpenLot, SaleEffect, TaxRules, is_long_term, sale_effect

SOLD_ON = date(2024, 6, 30)
RATES = {"short_rate": Decimal("0.4"), "long_rate": Decimal("0.2")}


def lot(
    name: str, day: str, quantity: str, cost: str | None, account: str = "main", instrument: str = "crypto:BTC"
) -> OpenLot:
    at = datetime.fromisoformat(day).replace(tzinfo=UTC)
    return OpenLot(
        account, instrument, "crypto:BTC", name, at, Decimal(quantity), None if cost is None else Decimal(cost)
    )


# an old cheap lot, a young dear one, and one between
LOTS = [lot("a", "2020-01-01", "1", "100"), lot("b", "2022-01-01", "1", "250"), lot("c", "2024-01-01", "1", "200")]


@pytest.mark.parametrize(
    ("method", "short", "long"),
    [
        # 1.5 units at 300: a and half of b; c and half of b; b and half of c
        ("FIFO", "0", "225"),
        ("LIFO", "100", "25"),
        ("HIFO", "50", "50"),
    ],
)
def test_the_method_chooses_the_lots(method: str, short: str, long: str) -> None:
    effect = sale_effect(LOTS, "crypto:BTC", Decimal("1.5"), Decimal(300), TaxRules(method, **RATES), SOLD_ON)
    tax = Decimal(short) * Decimal("0.4") + Decimal(long) * Decimal("0.2")
    assert effect == SaleEffect(Decimal(short) + Decimal(long), Decimal(short), Decimal(long), tax)


def test_average_cost_has_no_holding_period_and_one_rate_taxes_it() -> None:
    quantity, price = Decimal(1), Decimal(300)
    two = sale_effect(
        [lot("a", "2020-01-01", "3", "550")], "crypto:BTC", quantity, price, TaxRules("ACB", **RATES), SOLD_ON
    )
    assert (two.short_gain, two.long_gain, two.tax) == (None, None, None)
    assert float(two.gain or 0) == pytest.approx(300 - 550 / 3)
    one = TaxRules("ACB", short_rate=Decimal("0.25"), long_rate=Decimal("0.25"))
    effect = sale_effect([lot("a", "2020-01-01", "2", "400")], "crypto:BTC", quantity, price, one, SOLD_ON)
    assert effect == SaleEffect(Decimal(100), None, None, Decimal(25))


def test_without_rates_there_is_no_tax() -> None:
    effect = sale_effect(LOTS, "crypto:BTC", Decimal(1), Decimal(300), TaxRules(), SOLD_ON)
    assert effect == SaleEffect(Decimal(200), Decimal(0), Decimal(200), None)


def test_an_unknown_cost_or_too_few_lots_leave_the_gain_unknown() -> None:
    lots = [lot("a", "2020-01-01", "1", None), *LOTS[1:]]
    assert sale_effect(lots, "crypto:BTC", Decimal(3), Decimal(300), TaxRules(**RATES), SOLD_ON) == SaleEffect()
    assert sale_effect(LOTS, "crypto:BTC", Decimal(4), Decimal(300), TaxRules(**RATES), SOLD_ON) == SaleEffect()


def test_lots_of_an_account_stay_with_it_and_the_largest_account_sells_first() -> None:
    lots = [
        lot("a", "2020-01-01", "1", "100", "small"),
        lot("b", "2022-01-01", "2", "500", "large"),
        lot("w", "2019-01-01", "5", "5", "large", "eip155:1/erc20:0xw"),
    ]
    by_account = sale_effect(lots[:2], "crypto:BTC", Decimal(1), Decimal(300), TaxRules(), SOLD_ON)
    assert by_account.gain == 50
    # one pool of one economic asset: the oldest lot of all, wherever it is and in whatever form
    pooled = sale_effect(lots, "crypto:BTC", Decimal(1), Decimal(300), TaxRules(scope="portfolio"), SOLD_ON)
    assert pooled.gain == 299


@pytest.mark.parametrize(
    ("acquired", "sold", "is_long"),
    [
        ("2023-03-10", "2024-03-10", False),
        ("2023-03-10", "2024-03-11", True),
        # the leap years of realized_gains' own unit tests
        ("2023-02-28", "2024-02-29", False),
        ("2023-02-28", "2024-03-01", True),
        ("2024-02-28", "2025-02-28", False),
        ("2024-02-28", "2025-03-01", True),
        ("2024-02-29", "2025-02-28", False),
        ("2024-02-29", "2025-03-01", True),
    ],
)
def test_a_year_is_a_calendar_year(acquired: str, sold: str, is_long: bool) -> None:
    assert is_long_term(date.fromisoformat(acquired), date.fromisoformat(sold)) is is_long
