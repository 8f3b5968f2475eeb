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
from assets.performance.series import DailySeries, Range, cut
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


def performance_rows(series: DailySeries, start: Integers, end: Integers) -> PerformanceRows:
    """Measure each portfolio from day `start` to day `end`, both included, clamped to its history.

    Args:
        series: daily rows; every portfolio has a day in its range.
        start: (portfolios,) day numbers.
        end: (portfolios,) day numbers.
    """
    period = cut(series, start, end)
    found = _money(period) | _returns(period)
    mwr, several_roots = _money_weighted(period)
    found["mwr"] = mwr
    is_incomplete = period.any_flag("is_complete", wanted=False)
    codes: dict[str, Codes] = {name: measured.code for name, measured in found.items()}
    return PerformanceRows(
        portfolio_ids=series.portfolio_ids,
        period_start=period.start,
        period_end=period.start + period.days - 1,
        measures=found,
        annualization_days=_periods_per_year(period),
        mwr_flag=[SEVERAL_ROOTS if several else None for several in several_roots],
        flow_basis=["observed" if seen else "ledger" for seen in period.any_flag("is_observed")],
        undefined_reason=reasons.join_reasons(codes, is_incomplete),
    )


def costs_and_value(series: DailySeries, start: Integers, end: Integers) -> tuple[Measure, Measure]:
    """All fees from day `start` to day `end`, those in cost and proceeds included, and the mean value at their closes.

    Args:
        series: daily rows; every portfolio has a day in its range.
        start: (portfolios,) day numbers.
        end: (portfolios,) day numbers.
    """
    period = cut(series, start, end)
    costs = amounts.total(period.number("fees_base", 0.0) + period.number("trade_fees_base", 0.0), np.ones((1, 1)))
    values = amounts.total(period.number("value_base", 0.0), np.ones((1, 1)))
    return costs.base, Measure(values.base.value / period.days, values.base.code)


def _money(period: Range) -> dict[str, Measure]:
    rates = period.number("usd_rate", 0.0)
    start = amounts.value(period.at_base("value_base"), period.at_base("usd_rate"))
    end = amounts.value(period.at_end("value_base"), period.at_end("usd_rate"))
    inflows = period.number("inflow_base", 0.0)
    outflows = period.number("outflow_base", 0.0)
    net_flows = amounts.total(inflows - outflows, rates)
    gain = amounts.absolute_gain(start, end, net_flows)
    simple = amounts.simple_return(gain.base, start.base, amounts.total(inflows, rates).base)
    dietz = amounts.modified_dietz(gain.base.value, start.base.value, inflows, outflows, period.days)
    both: dict[str, Money] = {
        "start_value": start,
        "end_value": end,
        "absolute_gain": gain,
        "net_flows": net_flows,
        **{name: amounts.total(period.number(column, 0.0), rates) for name, column in PERIOD_SUMS.items()},
    }
    found = {f"{name}_base": money.base for name, money in both.items()}
    found |= {f"{name}_usd": money.usd for name, money in both.items()}
    return found | {
        "simple_return": simple,
        "percentage_gain": amounts.percentage_gain(simple),
        "modified_dietz": dietz,
    }


def _periods_per_year(period: Range) -> Integers:
    return np.where(period.any_flag("trades_daily"), CALENDAR_DAYS, MARKET_DAYS)


def _returns(period: Range) -> dict[str, Measure]:
    returns = period.number("twr_return", np.nan)
    linked = measures.linked_return(returns)
    annualized = measures.annualized_return(linked, period.days)
    deepest, lasted = measures.drawdown(returns, period.days)
    periods_per_year = _periods_per_year(period)
    counts: Booleans = (periods_per_year == CALENDAR_DAYS)[:, None] | period.flag("is_market_day")
    counted: Floats = np.where(counts, returns, np.nan)
    yearly_risk_free = period.number("risk_free_rate", np.nan)
    daily_risk_free = yearly_risk_free / periods_per_year[:, None]
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
    count, width = period.index.shape
    flows = np.zeros((count, width + 2))
    days = np.empty((count, width + 2), dtype=np.int64)
    flows[:, 0], days[:, 0] = -period.at_base("value_base"), period.start - 1
    flows[:, 1:-1] = period.number("outflow_base", 0.0) - period.number("inflow_base", 0.0)
    days[:, 1:-1] = period.start[:, None] + np.arange(width)
    flows[:, -1], days[:, -1] = period.at_end("value_base"), period.start + period.days - 1
    is_flow = flows != 0.0
    offsets = np.concatenate([[0], np.cumsum(is_flow.sum(axis=1))])
    rates = xirr(flows[is_flow], days[is_flow], offsets)
    return Measure(rates.rate, rates.code), rates.has_several_roots.tolist()
