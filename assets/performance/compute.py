"""The row of `portfolio_performance` for each portfolio over a range of days.

Belongs here: which columns of the daily table feed which measure, and the columns of the row. Must not be here: the
formulas (measures, amounts, xirr), reading and writing (store). `performance_between.sql` is the same in SQL.

Definitions beyond docs/metrics.md:
- `unrealized_pnl_*` of a period is the change of the unrealised price gain in it, not the stock at its end.
- Sums in USD take each day's amount at that day's rate; `absolute_gain_usd` = end - start - net flows, all in USD.
- Volatility, Sharpe, Sortino use 365 when the portfolio held anything that trades every day on some day of the range;
  else 252, and only days on which something held had a price of that very day.
- The Sharpe ratio divides by the deviation of the returns themselves, so sharpe + risk_free_rate / volatility is the
  ratio at a zero rate when the rate is constant.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from assets.performance import amounts, measures, reasons
from assets.performance.amounts import Money
from assets.performance.measures import Booleans, Floats, Integers, Measure
from assets.performance.reasons import Codes
from assets.performance.series import Range
from assets.performance.xirr import SEVERAL_ROOTS, xirr

CALENDAR_DAYS, MARKET_DAYS = 365, 252

# name in the row -> column of portfolio_daily
PERIOD_SUMS = {
    "realized_pnl": "realized_pnl_base",
    "unrealized_pnl": "unrealized_change_base",
    "income": "income_base",
    "fees": "fees_base",
    "taxes": "taxes_base",
    "currency_effect": "currency_effect_base",
}


@dataclass(frozen=True)
class PerformanceRows:
    """One row per portfolio.

    Attributes:
        portfolio_ids: (portfolios,).
        period_start: (portfolios,) day numbers.
        period_end: (portfolios,) day numbers.
        measures: name -> value and code; NaN where undefined.
        annualization_days: (portfolios,) 365 or 252.
        mwr_flag: (portfolios,) `several_roots` or None.
        flow_basis: (portfolios,) `ledger` or `observed`.
        undefined_reason: (portfolios,) text or None.
    """

    portfolio_ids: list[str]
    period_start: Integers
    period_end: Integers
    measures: dict[str, Measure]
    annualization_days: Integers
    mwr_flag: list[str | None]
    flow_basis: list[str]
    undefined_reason: list[str | None]


def day_number(day: date) -> int:
    """Days since 1970-01-01."""
    return day.toordinal() - date(1970, 1, 1).toordinal()


def performance_rows(period: Range) -> PerformanceRows:
    """Measure each portfolio over its days of a range."""
    series = period.series
    found = _money(period) | _returns(period)
    mwr, several_roots = _money_weighted(period)
    found["mwr"] = mwr
    is_incomplete = np.asarray(~period.flag("is_complete").all(axis=0))
    is_observed = np.asarray(period.flag("is_observed").any(axis=0))
    codes: dict[str, Codes] = {name: measured.code for name, measured in found.items()}
    return PerformanceRows(
        portfolio_ids=series.portfolio_ids,
        period_start=period.start,
        period_end=period.start + period.days - 1,
        measures=found,
        annualization_days=_periods_per_year(period),
        mwr_flag=[SEVERAL_ROOTS if several else None for several in several_roots],
        flow_basis=["observed" if seen else "ledger" for seen in is_observed],
        undefined_reason=reasons.join_reasons(codes, is_incomplete),
    )


def costs_and_value(period: Range) -> tuple[Measure, Measure]:
    """All fees of a range, those in cost and proceeds included, and the mean value at its closes, in base currency."""
    costs = measures.sum_in_order(period.number("fees_base") + period.number("trade_fees_base"))
    values = measures.sum_in_order(period.number("value_base")) / period.days
    return amounts.known(costs), amounts.known(values)


def _money(period: Range) -> dict[str, Measure]:
    start = amounts.value(period.at_base("value_base"), period.at_base("usd_rate"))
    end = amounts.value(period.at_end("value_base"), period.at_end("usd_rate"))
    net_flows = amounts.total(
        period.rectangle("net_flow", _net_flow),
        period.rectangle("net_flow in USD", _net_flow_usd),
    )
    inflows, outflows = period.number("inflow_base"), period.number("outflow_base")
    gain = amounts.absolute_gain(start, end, net_flows)
    simple = amounts.simple_return(gain.base, start.base, amounts.known(measures.sum_in_order(inflows)))
    dietz = amounts.modified_dietz(gain.base.value, start.base.value, inflows, outflows, period.days)
    both: dict[str, Money] = {
        "start_value": start,
        "end_value": end,
        "absolute_gain": gain,
        "net_flows": net_flows,
        **{name: _total(period, column) for name, column in PERIOD_SUMS.items()},
    }
    found = {f"{name}_base": money.base for name, money in both.items()}
    found |= {f"{name}_usd": money.usd for name, money in both.items()}
    return found | {
        "simple_return": simple,
        "percentage_gain": amounts.percentage_gain(simple),
        "modified_dietz": dietz,
    }


def _net_flow(period: Range) -> Floats:
    return period.number("inflow_base") - period.number("outflow_base")


def _net_flow_usd(period: Range) -> Floats:
    return amounts.in_usd(period.rectangle("net_flow", _net_flow), period.number("usd_rate"))


def _total(period: Range, column: str) -> Money:
    def in_usd(whole: Range) -> Floats:
        return amounts.in_usd(whole.number(column), whole.number("usd_rate"))

    return amounts.total(period.number(column), period.rectangle(f"{column} in USD", in_usd))


def _periods_per_year(period: Range) -> Integers:
    return np.where(period.flag("trades_daily").any(axis=0), CALENDAR_DAYS, MARKET_DAYS)


def _returns(period: Range) -> dict[str, Measure]:
    returns = period.number("twr_return")
    linked = measures.linked_return(returns)
    annualized = measures.annualized_return(linked, period.days)
    deepest, lasted = measures.drawdown(returns)
    periods_per_year = _periods_per_year(period)
    counts: Booleans = (periods_per_year == CALENDAR_DAYS) | period.flag("is_market_day")
    counted: Floats = np.where(counts, returns, np.nan)
    yearly_risk_free = period.number("risk_free_rate")
    daily_risk_free = yearly_risk_free / periods_per_year
    deviation = measures.sample_deviation(counted)
    return {
        "twr": linked,
        "twr_annualized": annualized,
        "volatility": measures.volatility(deviation, periods_per_year),
        "sharpe_ratio": measures.sharpe_ratio(counted, daily_risk_free, deviation, periods_per_year),
        "sortino_ratio": measures.sortino_ratio(counted, daily_risk_free, periods_per_year),
        "calmar_ratio": measures.calmar_ratio(annualized, deepest),
        "max_drawdown": deepest,
        "drawdown_days": lasted,
        "risk_free_rate": measures.mean_risk_free_rate(counted, yearly_risk_free),
    }


def _money_weighted(period: Range) -> tuple[Measure, Sequence[bool]]:
    """XIRR: the start value is paid in on the day before the period, the end value received on its last day."""
    last_day = period.start + period.days - 1
    owner, day, flow = _flows(period)
    every = np.arange(len(last_day))
    owners = np.concatenate([every, owner, every])
    order = np.argsort(owners, kind="stable")
    amount = np.concatenate([-period.at_base("value_base"), flow, period.at_end("value_base")])[order]
    days = np.concatenate([period.start - 1, day, last_day])[order]
    is_flow = amount != 0.0
    offsets = np.searchsorted(owners[order][is_flow], np.arange(len(every) + 1))
    rates = xirr(amount[is_flow], days[is_flow], offsets)
    return Measure(rates.rate, rates.code), rates.has_several_roots.tolist()


def _flows(period: Range) -> tuple[Integers, Integers, Floats]:
    """Portfolio, day number and amount of what was taken out (paid in: negative) within the period, in order."""
    series = period.series
    flow = series.numbers["outflow_base"] - series.numbers["inflow_base"]
    row = np.flatnonzero(flow != 0.0)
    owner = np.searchsorted(series.offsets, row, side="right") - 1
    day = row - series.offsets[owner] + series.first_day[owner]
    is_inside = (row <= period.last_row[owner]) & (day >= period.start[owner])
    return owner[is_inside], day[is_inside], flow[row[is_inside]]
