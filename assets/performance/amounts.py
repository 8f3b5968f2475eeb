"""Amounts of money over a period, in base currency and in USD, and the percentages made of them.

Belongs here: sums, values, gains, simple return and Modified Dietz of many portfolios, with the reason of each NULL.
Must not be here: returns (measures), internal rates (xirr), SQL.

Money is float64 here (the edge of numerics): 15 digits, so right to the cent below 10^12.
NaN rule: NaN in is an unknown amount or rate and makes what needs it NaN, with a code.
"""

from dataclasses import dataclass

import numpy as np

from assets.performance import reasons
from assets.performance.measures import Booleans, Floats, Integers, Measure, measure

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


def total(amounts: Floats, usd_rates: Floats) -> Money:
    """Sum over the days of a period.

    Args:
        amounts: (portfolios, days) in base currency, 0 past the end of the period.
        usd_rates: (portfolios, days) USD for 1 unit of the base currency.
    """
    # cumulative, not sum(): see measures.sum_in_order; here an unknown amount must stay unknown
    return _money(np.cumsum(amounts, axis=1)[:, -1], np.cumsum(in_usd(amounts, usd_rates), axis=1)[:, -1])


def value(amounts: Floats, usd_rates: Floats) -> Money:
    """A stock at one moment: (portfolios,) amounts and the rates of that day."""
    return _money(amounts, in_usd(amounts, usd_rates))


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
        inflows: (portfolios, days) 0 past the end of the period.
        outflows: (portfolios, days) 0 past the end of the period.
        days: (portfolios,) length of the period.
    """
    left = days[:, None] - np.arange(inflows.shape[1])  # of the period, from the start of each day
    # the products of whole numbers of days are summed before the division: 1/3 + 2/3 of a flow stay exact
    flow_days = np.cumsum(inflows * left - outflows * (left - 1), axis=1)[:, -1]
    capital = start + flow_days / days
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = gain / capital
    is_unknown: Booleans = np.isnan(capital) | np.isnan(gain)
    return measure(rate, (is_unknown, reasons.MISSING_VALUE), (capital < TINY_BASE, reasons.NO_CAPITAL))
