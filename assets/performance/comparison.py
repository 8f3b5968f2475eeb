"""Each portfolio against its benchmark, the equal weight of what it held, and the same user's other portfolios.

Belongs here: which series are compared, arrays in, one row per pair and period out, with the reason of each NULL. Must
not be here: the loops (comparison_kernel), reading and writing (loading, store), SQL.

The numbers are those of the days on which both have a return. beta is the slope of the portfolio's daily returns on
the other's; alpha = (mean own - rf / y - beta (mean other - rf / y)) y with y days a year; tracking error and
information ratio are of the daily difference. Fewer than `FEWEST_DAYS` days give no beta, alpha, correlation and ratio.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from assets.performance import comparison_kernel as kernels
from assets.performance import reasons
from assets.performance.compiled import kernel
from assets.performance.compute import CALENDAR_DAYS, MARKET_DAYS
from assets.performance.holdings import Holdings
from assets.performance.measures import ZERO_DEVIATION, Floats, Integers, Measure, measure
from assets.performance.series import DailySeries

PERIODS = ("30d", "90d", "1y", "ytd", "all")
BENCHMARK, EQUAL_WEIGHT, PORTFOLIO = "benchmark", "equal_weight", "portfolio"
TOTAL_RETURN, PRICE_RETURN = "total_return", "price_return"
INSTRUMENTS, OWN_BASE_CURRENCY = "instruments", "own_base_currency"
# one person's portfolios side by side; a user with hundreds of them is an aggregator, not a comparison
MOST_SIDE_BY_SIDE = 20
FEWEST_DAYS = 20

METRICS = ("return_difference", "tracking_error", "beta", "alpha", "correlation", "information_ratio")


@dataclass(frozen=True)
class Others:
    """What each portfolio of a daily series is compared with; the days of `returns` are consecutive.

    Attributes:
        own: (pairs,) index of the portfolio in the series.
        ids: (pairs,) benchmark, `EQUAL_WEIGHT` or the other portfolio.
        kinds: (pairs,) `BENCHMARK`, `EQUAL_WEIGHT` or `PORTFOLIO`.
        bases: (pairs,) what the other's return is made of.
        begin: (pairs,) where the other's days begin in `returns`.
        series_row: (pairs,) index of the portfolio whose days they are.
        returns: (days of all,) NaN: no return.
    """

    own: Integers
    ids: list[str]
    kinds: list[str]
    bases: list[str]
    begin: Integers
    series_row: Integers
    returns: Floats


@dataclass(frozen=True)
class ComparisonRows:
    """One row per pair and period with a day on which both have a return.

    Attributes:
        pair: (rows,) index of the pair.
        period: (rows,) index in `PERIODS`.
        period_start: (rows,) day number of the first such day.
        period_end: (rows,) of the last one.
        measures: `METRICS` -> values and codes; NaN where undefined.
        observations: (rows,) days that entered the deviations.
        undefined_reason: (rows,) text or None.
    """

    pair: Integers
    period: Integers
    period_start: Integers
    period_end: Integers
    measures: dict[str, Measure]
    observations: Integers
    undefined_reason: list[str | None]


def together(users: Mapping[str, str]) -> dict[str, str]:
    """Portfolio -> a name that those compared with each other share.

    Args:
        users: portfolio -> user, of all portfolios in scope.
    """
    portfolios_of = Counter(users.values())
    return {
        portfolio: f"user {user}" if portfolios_of[user] <= MOST_SIDE_BY_SIDE else f"portfolio {portfolio}"
        for portfolio, user in users.items()
    }


def equal_weight_days(
    series: DailySeries, holdings: Holdings, return_row: Integers, returns: Floats, returns_first_day: int
) -> Floats:
    """(days,) the mean return of what each portfolio held long at the close before; NaN where none is known.

    What was held on the day, never today's holdings cast back.

    Args:
        series: daily rows of the portfolios.
        holdings: what they held.
        return_row: (holdings,) row of `returns`, -1: none.
        returns: (rows, days) daily returns in base currency, NaN: none.
        returns_first_day: day number of the first column.
    """
    days = int(series.offsets[-1])
    average = np.zeros(days)
    average_held = kernel(kernels.average_held, int(np.diff(series.offsets)[holdings.owner].sum()))
    average_held(
        series.first_day,
        series.offsets,
        holdings.holding_offsets,
        return_row,
        returns,
        returns_first_day,
        holdings.position_offsets,
        holdings.valid_from,
        holdings.valid_to,
        holdings.quantity,
        np.zeros(days, dtype=np.int64),
        average,
    )
    return average


def others_of(
    series: DailySeries,
    groups: Mapping[str, str],
    benchmark: Mapping[str, str],
    with_dividends: frozenset[str],
    benchmark_returns: Floats,
    equal_weights: Floats,
) -> Others:
    """The pairs of the portfolios of a series, all of a group being in it.

    Args:
        series: daily rows of the portfolios.
        groups: portfolio -> group of those compared with each other.
        benchmark: portfolio -> instrument id, for those that have one.
        with_dividends: instruments whose dividends are known.
        benchmark_returns: (days,) beside the daily rows.
        equal_weights: (days,) beside the daily rows.
    """
    members: dict[str, list[int]] = {}
    for row, portfolio_id in enumerate(series.portfolio_ids):
        members.setdefault(groups[portfolio_id], []).append(row)
    # own, id, kind, basis, which of the three arrays laid end to end, whose days
    pairs: list[tuple[int, str, str, str, int, int]] = []
    for row, portfolio_id in enumerate(series.portfolio_ids):
        if portfolio_id in benchmark:
            other = benchmark[portfolio_id]
            basis = TOTAL_RETURN if other in with_dividends else PRICE_RETURN
            pairs.append((row, other, BENCHMARK, basis, 1, row))
        pairs.append((row, EQUAL_WEIGHT, EQUAL_WEIGHT, INSTRUMENTS, 2, row))
        pairs += [
            (row, series.portfolio_ids[theirs], PORTFOLIO, OWN_BASE_CURRENCY, 0, theirs)
            for theirs in members[groups[portfolio_id]]
            if theirs != row
        ]
    own, ids, kinds, bases, array, series_row = (list(column) for column in zip(*pairs, strict=True))
    rows = np.array(series_row, dtype=np.int64)
    return Others(
        own=np.array(own, dtype=np.int64),
        ids=ids,
        kinds=kinds,
        bases=bases,
        begin=series.offsets[rows] + np.array(array, dtype=np.int64) * series.offsets[-1],
        series_row=rows,
        returns=np.concatenate([series.numbers["twr_return"], benchmark_returns, equal_weights]),
    )


def comparisons(series: DailySeries, others: Others, period_starts: Sequence[int]) -> ComparisonRows:
    """Each pair over each period.

    Args:
        series: daily rows of the portfolios.
        others: what they are compared with.
        period_starts: day number of the first day of each of `PERIODS`.
    """
    shape = (len(others.ids), len(period_starts))
    days = np.zeros((*shape, kernels.DAY_COLUMNS), dtype=np.int64)
    sums = np.zeros((*shape, kernels.SUM_COLUMNS))
    lengths = np.diff(series.offsets)
    compare = kernel(kernels.compare, int(lengths[others.own].sum()) * len(period_starts))
    compare(
        series.offsets[others.own],
        series.first_day[others.own],
        lengths[others.own],
        series.numbers["twr_return"],
        series.flags["is_market_day"],
        series.flags["trades_daily"],
        series.numbers["risk_free_rate"],
        others.begin,
        series.first_day[others.series_row],
        lengths[others.series_row],
        others.returns,
        np.array(period_starts, dtype=np.int64),
        days,
        sums,
    )
    return _rows(days, sums)


def _rows(all_days: Integers, all_sums: Floats) -> ComparisonRows:
    pair, period = np.nonzero(all_days[:, :, kernels.PAIRED])
    days, sums = all_days[pair, period], all_sums[pair, period]
    observations = days[:, kernels.OBSERVATIONS]
    per_year = np.where(days[:, kernels.TRADES_DAILY] == 1, CALENDAR_DAYS, MARKET_DAYS)
    squares_own, squares_other = sums[:, kernels.SQUARES_OWN], sums[:, kernels.SQUARES_OTHER]
    products, mean_difference = sums[:, kernels.PRODUCTS], sums[:, kernels.MEAN_DIFFERENCE]
    freedom = np.maximum(observations - 1, 1)
    own, other = np.sqrt(squares_own / freedom), np.sqrt(squares_other / freedom)
    difference = np.sqrt(sums[:, kernels.SQUARES_DIFFERENCE] / freedom)
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = products / squares_other
        correlation = products / np.sqrt(squares_own * squares_other)
        ratio = mean_difference / difference * np.sqrt(per_year)
    risk_free = sums[:, kernels.RISK_FREE] / per_year
    alpha = (sums[:, kernels.MEAN_OWN] - risk_free - slope * (sums[:, kernels.MEAN_OTHER] - risk_free)) * per_year
    too_few = (observations < FEWEST_DAYS, reasons.FEWER_THAN_20_DAYS)
    other_is_flat = (other <= ZERO_DEVIATION, reasons.ZERO_DEVIATION)
    found = {
        "return_difference": measure(sums[:, kernels.LINKED_OWN] - sums[:, kernels.LINKED_OTHER]),
        "tracking_error": measure(difference * np.sqrt(per_year), (observations < 2, reasons.TOO_FEW_RETURNS)),
        "beta": measure(slope, too_few, other_is_flat),
        "alpha": measure(alpha, too_few, other_is_flat),
        "correlation": measure(correlation, too_few, other_is_flat, (own <= ZERO_DEVIATION, reasons.ZERO_DEVIATION)),
        "information_ratio": measure(ratio, too_few, (difference <= ZERO_DEVIATION, reasons.ZERO_DEVIATION)),
    }
    return ComparisonRows(
        pair=pair,
        period=period,
        period_start=days[:, kernels.FIRST_DAY],
        period_end=days[:, kernels.LAST_DAY],
        measures=found,
        observations=observations,
        undefined_reason=_reasons(found),
    )


def _reasons(found: Mapping[str, Measure]) -> list[str | None]:
    """That of beta stands for alpha and correlation too, and under `FEWEST_DAYS` days for the information ratio."""
    ratio = found["information_ratio"].code
    codes = {
        "beta": found["beta"].code,
        "information_ratio": np.where(ratio == reasons.FEWER_THAN_20_DAYS, reasons.DEFINED, ratio),
    }
    return reasons.join_reasons(codes, np.zeros(len(ratio), dtype=np.bool_), METRICS)
