"""The reason codes of `undefined_reason`: why a measure of a period is NULL.

Belongs here: the one list of codes, the order of the pairs, and how pairs become text. Must not be here: any
arithmetic that decides a code (measures, amounts, xirr). `assets/publication/performance_between.sql` writes the same
codes in the same order; the equivalence test compares the texts.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Codes: TypeAlias = NDArray[np.str_]

DEFINED = ""

ALL = "all"
COVERAGE = "coverage"

NO_INTRADAY_PRICES = "no_intraday_prices"
NO_HISTORY = "no_history"
EMPTY_RANGE = "empty_range"
MISSING_VALUE = "missing_value"
MISSING_FX = "missing_fx"
ZERO_BASE = "zero_base"
TINY_BASE = "tiny_base"
NO_CAPITAL = "no_capital"
NO_RETURNS = "no_returns"
TOO_FEW_RETURNS = "too_few_returns"
FEWER_THAN_20_DAYS = "fewer_than_20_days"
PERIOD_UNDER_365_DAYS = "period_under_365_days"
NEGATIVE_WEALTH = "negative_wealth"
NO_SIGN_CHANGE = "no_sign_change"
NO_ROOT = "no_root"
ZERO_DEVIATION = "zero_deviation"
ZERO_DOWNSIDE_DEVIATION = "zero_downside_deviation"
ZERO_DRAWDOWN = "zero_drawdown"
MISSING_RISK_FREE_RATE = "missing_risk_free_rate"
MISSING_PRICE = "missing_price"
NO_VALUE = "no_value"
MISSING_BENCHMARK = "missing_benchmark"
NOT_IN_BENCHMARK = "not_in_benchmark"
NOT_HELD = "not_held"
INCOMPLETE_DAYS = "incomplete_days"
TINY_DAYS = "tiny_days"

MEANINGS: Mapping[str, str] = {
    NO_INTRADAY_PRICES: "the period is shorter than a day and there are no prices within days",
    NO_HISTORY: "the range ends before the portfolio's first day or begins after its last one",
    EMPTY_RANGE: "the range ends before it begins",
    MISSING_VALUE: "a day of the period has no amount in the base currency",
    MISSING_FX: "a day with an amount has no exchange rate from the base currency to USD",
    ZERO_BASE: "start value plus inflows is zero or negative: a percentage of it means nothing",
    TINY_BASE: "start value plus inflows (of parts: of each day) is below 0.01 of the base currency: a percentage of "
    "it means nothing",
    NO_CAPITAL: "start value plus flows, each by the share of the period left after it, is below 0.01",
    NO_RETURNS: "no day of the period has a return (nothing was invested)",
    TOO_FEW_RETURNS: "fewer than two daily returns: there is no sample deviation",
    FEWER_THAN_20_DAYS: "fewer than 20 daily returns: a slope of so few says nothing",
    PERIOD_UNDER_365_DAYS: "a period under 365 days is not annualised",
    NEGATIVE_WEALTH: "the linked return is below -100 % (a short position): it has no annual rate",
    NO_SIGN_CHANGE: "the flows are all paid in, or all paid out: no rate balances them",
    NO_ROOT: "no rate above -100 % balances the flows",
    ZERO_DEVIATION: "all daily returns are equal (deviation at most 1e-12)",
    ZERO_DOWNSIDE_DEVIATION: "no daily return is below the risk-free rate (downside deviation at most 1e-12)",
    ZERO_DRAWDOWN: "the index never fell below a former peak",
    MISSING_RISK_FREE_RATE: "a day that counts has no risk-free rate",
    MISSING_PRICE: "it was held, but on no day of the period had a price and an exchange rate",
    NO_VALUE: "at no close of the period was the portfolio worth anything",
    MISSING_BENCHMARK: "on some day with a return the benchmark has none (before its first price, or a missing rate)",
    NOT_IN_BENCHMARK: "the benchmark does not belong to this class of assets",
    NOT_HELD: "nothing of this class of assets was held",
    INCOMPLETE_DAYS: "not a NULL but a warning: some day of the period is incomplete (stale or missing price or rate)",
    TINY_DAYS: "not a NULL but a warning: some day begins with less than 0.01, and its return is in no part",
}

# The pairs stand in this order, `coverage` last.
METRICS: tuple[str, ...] = (
    "start_value_base",
    "end_value_base",
    "start_value_usd",
    "end_value_usd",
    "absolute_gain_base",
    "absolute_gain_usd",
    "percentage_gain",
    "twr",
    "twr_annualized",
    "mwr",
    "simple_return",
    "realized_pnl_base",
    "realized_pnl_usd",
    "unrealized_pnl_base",
    "unrealized_pnl_usd",
    "income_base",
    "income_usd",
    "fees_base",
    "fees_usd",
    "taxes_base",
    "taxes_usd",
    "currency_effect_base",
    "currency_effect_usd",
    "net_flows_base",
    "net_flows_usd",
    "volatility",
    "sharpe_ratio",
    "sortino_ratio",
    "calmar_ratio",
    "max_drawdown",
    "drawdown_days",
    "risk_free_rate",
    "modified_dietz",
)


def pair(metric: str, code: str) -> str:
    """One `metric:code` pair; the code must be one of `MEANINGS`."""
    if code not in MEANINGS:
        raise KeyError(
            f"reason code {code!r} of {metric} is not in the documented list (assets/performance/reasons.py)"
        )
    return f"{metric}:{code}"


def join_reasons(
    codes: Mapping[str, Codes],
    is_incomplete: NDArray[np.bool_],
    metrics: Sequence[str] = METRICS,
    lacks_days: NDArray[np.bool_] | None = None,
) -> list[str | None]:
    """The text of each row.

    Args:
        codes: metric -> (rows,) codes, `DEFINED` where the metric has a value.
        is_incomplete: (rows,) whether some day of the period is incomplete.
        metrics: their order.
        lacks_days: (rows,) whether some day of the period has no parts; None: nothing is parted.

    Returns:
        (rows,) `metric:code` pairs joined by `;` in the order of `metrics`; None where everything is defined.
    """
    # most rows have nothing to say: of a million contributions a few hundred
    pairs: dict[int, list[str]] = {}
    for metric in metrics:
        if metric in codes:
            rows = np.flatnonzero(codes[metric] != DEFINED)
            for row, code in zip(rows.tolist(), codes[metric][rows].tolist(), strict=True):
                pairs.setdefault(row, []).append(pair(metric, code))
    warnings = [(is_incomplete, INCOMPLETE_DAYS)] + ([] if lacks_days is None else [(lacks_days, TINY_DAYS)])
    for is_warned, code in warnings:
        for row in np.flatnonzero(is_warned).tolist():
            pairs.setdefault(row, []).append(pair(COVERAGE, code))
    texts: list[str | None] = [None] * len(is_incomplete)
    for row, of_row in pairs.items():
        texts[row] = ";".join(of_row)
    return texts
