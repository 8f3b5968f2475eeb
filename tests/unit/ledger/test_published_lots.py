"""Worked examples of tax authorities and of other calculators, where their rule for lots is ours (figures only).

Belongs here: figures that somebody else published. Rules that are not ours (30 days, wash sales, indexation) are left out.
"""

from decimal import Decimal as D

import pytest

from assets.performance.xirr import xirr
from tests.unit.ledger.ledgers import BTC, EUR, STOCK, Ledger, book, flows, gains, held, lots

PRICES = book([(STOCK, "1990-01-01", 10, EUR), (BTC, "1990-01-01", 10, EUR)])


def test_first_in_first_out_of_the_internal_revenue_service() -> None:
    """IRS Publication 550, "Stocks and bonds": the basis of 130 shares is 50 x 10 + 80 x 11 = 1380.

    100 shares bought in 1994 at 10 and 200 in January 1995 at 11, 50 given away in July 1995, 100 bought in 1997 at 9.
    """
    ledger = Ledger(PRICES, cash_mode="implicit").add("1994-03-01", "BUY", STOCK, 100, price=10, currency=EUR)
    ledger.add("1995-01-15", "BUY", STOCK, 200, price=11, currency=EUR)
    ledger.add("1995-07-15", "WITHDRAWAL", STOCK, 50).add("1997-12-15", "BUY", STOCK, 100, price=9, currency=EUR)
    books = ledger.add("2012-04-15", "SELL", STOCK, 130, price=20, currency=EUR).run()
    assert [(d.quantity, d.cost_base) for d in books.disposals] == [(50, 500), (80, 880)]
    assert lots(books, STOCK) == [(D(120), D(1320)), (D(100), D(900))]


def test_pool_of_his_majestys_revenue_and_customs() -> None:
    """HMRC Capital Gains Manual CG51624: 10,000 shares for 100,000, half sold for 60,000 at costs of 4,000: gain 6,000."""
    ledger = Ledger(PRICES, cash_mode="implicit", cost_basis="ACB")
    ledger.add("2005-01-15", "BUY", STOCK, 10_000, amount=100_000, currency=EUR)
    books = ledger.add("2013-01-15", "SELL", STOCK, 5_000, amount=60_000, currency=EUR, fee=4_000).run()
    assert (gains(books), lots(books, STOCK)) == ([D(6_000)], [(D(5_000), D(50_000))])


def test_gains_by_year_of_fifo_capital_gains() -> None:
    """npm package @selmecir/fifo-capital-gains-js, README: 800 in 2020 and 1150 in 2021."""
    ledger = Ledger(PRICES, cash_mode="implicit").add("2020-01-01", "BUY", STOCK, 10, price=100, currency=EUR)
    ledger.add("2020-02-01", "BUY", STOCK, 10, price=150, currency=EUR)
    ledger.add("2020-03-01", "SELL", STOCK, 8, price=200, currency=EUR)
    books = ledger.add("2021-01-01", "SELL", STOCK, 7, price=300, currency=EUR).run()
    by_year = {
        year: sum(d.gain_base or 0 for d in books.disposals if d.disposal_date.year == year) for year in (2020, 2021)
    }
    assert by_year == {2020: 800, 2021: 1150}
    assert held(books, STOCK) == 5


def test_flows_of_a_share_that_pays_dividends_give_the_cfa_curriculums_rate() -> None:
    """CFA Program curriculum, Level I, "Rates and Returns", exhibit 11: money-weighted 9.39 % a year.

    One share at 200, one at 225 a year later, both sold at 235 after two years, 5 of dividend a share and year.
    """
    import numpy as np

    ledger = Ledger(PRICES, cash_mode="implicit").add("2021-01-01", "BUY", STOCK, 1, price=200, currency=EUR)
    ledger.add("2022-01-01", "DIVIDEND", STOCK, 5, currency=EUR).add(
        "2022-01-01", "BUY", STOCK, 1, price=225, currency=EUR
    )
    ledger.add("2023-01-01", "DIVIDEND", STOCK, 10, currency=EUR)
    books = ledger.add("2023-01-01", "SELL", STOCK, 2, price=235, currency=EUR).run()
    assert flows(books) == [
        ("trade", D(200)), ("income_paid_out", D(-5)), ("trade", D(225)), ("income_paid_out", D(-10)), ("trade", D(-470)),
    ]  # fmt: skip
    paid = np.array([-float(f.amount_base or 0) for f in books.flows])
    days = np.array([f.flow_date.toordinal() for f in books.flows])
    assert xirr(paid, days, np.array([0, len(paid)])).rate[0] == pytest.approx(0.0939, abs=0.00005)
    assert gains(books) == [D(35), D(10)]
