"""Worked examples of textbooks, standards and manuals (figures only; the source stands with each case).

Belongs here: figures that somebody else published. Must not be here: cases worked by hand (test_measures).
"""

from datetime import date, timedelta

import numpy as np
import pytest

from assets.performance import amounts, measures
from assets.performance.xirr import xirr

START = date(2021, 1, 1)
BACON = [0.3, 2.6, 1.1, -1.0, 1.5, 2.5, 1.6, 6.7, -1.4, 4.0, -0.5, 8.1, 4.0, -3.7, -6.1, 1.7, -4.9, -2.2, 7.0, 5.8, -6.5,
         2.4, -0.5, -0.9]  # fmt: skip


def yearly_rate(*flows: float) -> float:
    """XIRR of flows 365 days apart: then it is the IRR of the books."""
    days = np.array([(START + timedelta(365 * year)).toordinal() for year in range(len(flows))], dtype=np.int64)
    found = xirr(np.array(flows), days, np.array([0, len(flows)]))
    assert found.code[0] == ""
    return float(found.rate[0])


def test_present_value_of_excel_has_the_rate_that_it_was_made_with() -> None:
    """Microsoft's example of XNPV: at 9 % the flows are worth 2086.6476 (2086.65) on 1 January 2008.

    Paying that much more on the first day leaves the rate of exactly 9 %.
    """
    days = [date(2008, 1, 1), date(2008, 3, 1), date(2008, 10, 30), date(2009, 2, 15), date(2009, 4, 1)]
    flows = [-10_000 - 2086.6476, 2_750.0, 4_250.0, 3_250.0, 2_750.0]
    found = xirr(np.array(flows), np.array([d.toordinal() for d in days]), np.array([0, 5]))
    assert found.rate[0] == pytest.approx(0.09, abs=1e-8)


@pytest.mark.parametrize(
    ("flows", "rate"),
    [
        ((-100, -950, 350, 1270), 0.2611),
        ((-200, -220, 480), 0.0939),
        ((-30, -10.5, 22.75, -3, -6.25, 36.05), 0.0586),
    ],
)
def test_money_weighted_return_of_the_cfa_curriculum(flows: tuple[float, ...], rate: float) -> None:
    """CFA Program curriculum, Level I, "Rates and Returns": exhibits 10, 11 and 13."""
    assert yearly_rate(*flows) == pytest.approx(rate, abs=0.00005)


@pytest.mark.parametrize(
    ("returns", "linked", "annual"),
    [
        ([0.15, -0.05, 0.10, 0.15, 0.03], 0.4235, 0.0732),
        ([0.15, 0.0667], None, 0.1076),
    ],
)
def test_time_weighted_return_of_the_cfa_curriculum(returns: list[float], linked: float | None, annual: float) -> None:
    """CFA Program curriculum, Level I, "Rates and Returns": example 8 and the share that pays dividends."""
    found = measures.linked_return(np.array([returns]).T)
    if linked is not None:
        assert found.value[0] == pytest.approx(linked, abs=0.00005)
    per_year = measures.annualized_return(found, np.array([365 * len(returns)]))
    assert per_year.value[0] == pytest.approx(annual, abs=0.00005)


def test_time_weighted_return_is_not_what_the_owner_gained() -> None:
    """Wikipedia, "Time-weighted return": 500, worth 1000 after a year, 1000 more, worth 1500: no gain, but 50 %."""
    found = measures.linked_return(np.array([[1000 / 500 - 1], [1500 / 2000 - 1]]))
    assert found.value[0] == pytest.approx(0.5, abs=1e-15)
    assert yearly_rate(-500, -1000, 1500) == pytest.approx(0.0, abs=1e-12)


def test_modified_dietz_and_internal_rate_of_one_portfolio() -> None:
    """Wikipedia, "Modified Dietz method": 100, 50 more in the middle of two years, 300 at the end: 120 %, IRR 50 % a year."""
    inflows = np.zeros((730, 1))
    inflows[365, 0] = 50.0  # at the start of the day: half of the days are left
    dietz = amounts.modified_dietz(
        np.array([150.0]), np.array([100.0]), inflows, np.zeros_like(inflows), np.array([730])
    )
    assert dietz.value[0] == pytest.approx(1.2, abs=1e-12)
    assert yearly_rate(-100, -50, 300) == pytest.approx(0.5, abs=1e-12)


def test_sortino_ratio_of_rollinger_and_hoffman() -> None:
    """Rollinger, Hoffman, "Sortino: A 'Sharper'Ratio" (2013): mean 10 %, downside deviation 2.264 %, ratio 4.417."""
    returns = np.array([[0.17, 0.15, 0.23, -0.05, 0.12, 0.09, 0.13, -0.04]]).T
    ratio = measures.sortino_ratio(returns, np.zeros_like(returns), np.array([1])).value[0]
    assert ratio == pytest.approx(4.417, abs=0.0005)
    assert 0.10 / ratio == pytest.approx(0.02264, abs=0.000005)


def test_sortino_ratio_of_bacon() -> None:
    """Bacon, "Practical Portfolio Performance Measurement and Attribution", 2nd ed., p. 96: 0.157 a month for a target of 0.5 %.

    The figure as in PerformanceAnalytics, vignette "Performance Attribution from Bacon" (Kappa of order 2).
    """
    returns = np.array([BACON]).T / 100
    ratio = measures.sortino_ratio(returns, np.full_like(returns, 0.005), np.array([1])).value[0]
    assert ratio == pytest.approx(0.157, abs=0.0005)
