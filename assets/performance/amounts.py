"""Amounts of money over a period, in base currency and in USD, and the percentages made of them.

Belongs here: sums, values, gains, simple return and Modified Dietz of many portfolios, with the reason of each NULL.
Must not be here: returns (measures), internal rates (xirr), SQL.

Money is float64 here (the edge of numerics): 15 digits, so right to the cent below 10^12.
NaN rule: NaN in is an unknown amount or rate and makes what needs it NaN, with a code.
"""

from dataclasses import dataclass

import numpy as np

from assets.performance import reasons
from assets.performance.measures import Booleans, Floats, Measure, measure

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


def modified_dietz(start: Floats, end: Floats, net_inflows: Floats, days: Floats) -> Floats:
    """Return of the period by Modified Dietz, a cross-check of the linked return on calm periods.

    R = (end - start - sum F) / (start + sum w F), w = (days - d) / days for a flow d days after the start.
    Flows count at the end of their day. Source: GIPS, Modified Dietz method.

    Args:
        start: (portfolios,) value at the close before the period.
        end: (portfolios,) value at its last close.
        net_inflows: (portfolios, days) positive into the portfolio, 0 past the end.
        days: (portfolios,) length of the period.

    Returns:
        (portfolios,) NaN where the average capital is not positive.
    """
    day = np.arange(1, net_inflows.shape[1] + 1)
    weights = np.clip((days[:, None] - day) / days[:, None], 0.0, 1.0)
    capital = start + (weights * net_inflows).sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = (end - start - net_inflows.sum(axis=1)) / capital
    return np.where(capital > 0.0, rate, np.nan)
