"""Amounts of money over a period, in base currency and in USD, and the percentages made of them.

Belongs here: sums, values, gains, simple return and Modified Dietz of many portfolios, with the reason of each NULL.
Must not be here: returns (measures), internal rates (xirr), SQL.

Money is float64 here (the edge of numerics): 15 digits, so right to the cent below 10^12.
NaN rule: NaN in is an unknown amount or rate and makes what needs it NaN, with a code.
"""

from dataclasses import dataclass

import numpy as np

from assets.performance import reasons
from assets.performance.measures import Booleans, Floats, Integers, Measure, measure, sum_in_order

# below a hundredth of the currency unit, a percentage says nothing
TINY_BASE = 0.01


@dataclass(frozen=True)
class Money:
    """The same amount in base currency and in USD, each at its own days' rates."""

    base: Measure
    usd: Measure


def in_usd(amounts: Floats, usd_rates: Floats) -> Floats:
    """Amount x the rate of its own day; an amount of zero needs no rate."""
    return np.where(amounts == 0.0, 0.0, amounts * usd_rates)


def total(amounts: Floats, amounts_usd: Floats) -> Money:
    """Sum over the days of a period; an unknown amount makes it unknown.

    Args:
        amounts: (days, portfolios) in base currency, 0 before the period.
        amounts_usd: (days, portfolios) the same in USD, each at the rate of its day.
    """
    return _money(sum_in_order(amounts), sum_in_order(amounts_usd))


def value(amounts: Floats, usd_rates: Floats) -> Money:
    """A stock at one moment: (portfolios,) amounts and the rates of that day."""
    return _money(amounts, in_usd(amounts, usd_rates))


def known(amounts: Floats) -> Measure:
    """(portfolios,) amounts in base currency, each unknown one with its reason."""
    return measure(amounts, (np.isnan(amounts), reasons.MISSING_VALUE))


def _money(base: Floats, usd: Floats) -> Money:
    is_unknown = (np.isnan(base), reasons.MISSING_VALUE)
    return Money(measure(base, is_unknown), measure(usd, is_unknown, (np.isnan(usd), reasons.MISSING_FX)))


def absolute_gain(start: Money, end: Money, net_flows: Money) -> Money:
    """End value - start value - net flows, in each currency from that currency's own parts."""
    base = end.base.value - start.base.value - net_flows.base.value
    usd = end.usd.value - start.usd.value - net_flows.usd.value
    return _money(base, usd)


def simple_return(gain: Measure, start: Measure, inflows: Measure) -> Measure:
    """Gain / (start value + inflows), in base currency, a fraction; undefined on a zero or tiny base."""
    base = start.value + inflows.value
    is_unknown: Booleans = np.isnan(base) | np.isnan(gain.value)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = gain.value / base
    return measure(
        ratio,
        (is_unknown, reasons.MISSING_VALUE),
        (base <= 0.0, reasons.ZERO_BASE),
        (base < TINY_BASE, reasons.TINY_BASE),
    )


def percentage_gain(simple: Measure) -> Measure:
    """100 x the simple return: percent."""
    return Measure(100.0 * simple.value, simple.code)


def modified_dietz(gain: Floats, start: Floats, inflows: Floats, outflows: Floats, days: Integers) -> Measure:
    """Modified Dietz return of the period, a fraction: what one unit of the average capital gained.

    R = gain / (start + sum w_in x inflow - sum w_out x outflow). A flow weighs the share of the period that is left
    after it. Inflows come at the start of their day t = 1, 2, ... of CD days and outflows go at its end, as in the
    daily return: w_in = (CD - t + 1) / CD, w_out = (CD - t) / CD. So over one day, and over a period without flows
    after its first morning and before its last evening, R is the time-weighted return. Source: GIPS Standards
    Handbook, Modified Dietz method.

    Args:
        gain: (portfolios,) end value - start value - net flows.
        start: (portfolios,) value at the close before the period.
        inflows: (days, portfolios) 0 before the period.
        outflows: (days, portfolios) 0 before the period.
        days: (portfolios,) length of the period.
    """
    left = np.arange(len(inflows), 0, -1)[:, None]  # days of the period, from the start of each day
    # the products of whole numbers of days are summed before the division: 1/3 + 2/3 of a flow stay exact
    flow_days = sum_in_order(inflows * left - outflows * (left - 1))
    capital = start + flow_days / days
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = gain / capital
    is_unknown: Booleans = np.isnan(capital) | np.isnan(gain)
    return measure(rate, (is_unknown, reasons.MISSING_VALUE), (capital < TINY_BASE, reasons.NO_CAPITAL))
