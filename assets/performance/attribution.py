"""Why a portfolio did better or worse than its benchmark, by class of assets, adding up exactly to the difference.

Belongs here: arrays in, one row per class and period out, with the reason of each NULL. Must not be here: the loops
(attribution_kernel), reading and writing (loading, store), SQL.

Brinson and Fachler (1985) with three effects, each day, on the weights of the morning:
allocation = (w - W)(B_c - B), selection = W (r_c - B_c), interaction = (w - W)(r_c - B_c), with w, r_c of the class in
the portfolio, W, B_c in the benchmark and B of the whole benchmark. The benchmark is one instrument, so W is 1 in its
own class and 0 elsewhere. Days are linked as GRAP (1997), see `attribution_kernel.link_factors`. A day that begins with
less than a cent (dust) has no effects.
"""

from dataclasses import dataclass

import numpy as np

from assets.performance import attribution_kernel, reasons
from assets.performance.compiled import kernel
from assets.performance.contribution import ClassDays
from assets.performance.dust import Parted, parted
from assets.performance.holdings import Classes
from assets.performance.measures import Floats, Integers, Measure, measure
from assets.performance.series import DailySeries

# a class that was never held has no row for what rounding left of 1 - the other weights
ROUNDING = 1e-12

METRICS = (
    "portfolio_weight",
    "benchmark_weight",
    "portfolio_return",
    "benchmark_return",
    "allocation",
    "selection",
    "interaction",
)


@dataclass(frozen=True)
class AttributionRows:
    """One row per class of assets and period.

    Attributes:
        class_row: (rows,) row of the class.
        period: (rows,) index of the period.
        measures: `METRICS` -> values and codes; NaN where undefined.
        undefined_reason: (rows,) text or None.
    """

    class_row: Integers
    period: Integers
    measures: dict[str, Measure]
    undefined_reason: list[str | None]


def attributions(
    series: DailySeries, classes: Classes, class_days: ClassDays, benchmark: Floats, starts: Integers, ends: Integers
) -> AttributionRows:
    """The effects of each class on each period; portfolios whose benchmark has no class row have none.

    Where a period has no effects (no return, or no benchmark on a day with one), the row of the benchmark's class
    alone says why.

    Args:
        series: daily rows of the portfolios.
        classes: their classes of assets.
        class_days: daily sums by class.
        benchmark: (days,) daily return of each portfolio's benchmark beside the daily rows; NaN: none.
        starts: (portfolios, periods) day numbers within the history.
        ends: (portfolios, periods) day numbers within the history.
    """
    rows, periods = len(classes.names), starts.shape[1]
    lengths = np.diff(series.offsets)
    has_benchmark = np.zeros(len(lengths), dtype=np.bool_)
    has_benchmark[classes.owner[classes.is_benchmark]] = True
    measured, days_held = np.zeros((rows, periods, 5)), np.zeros((rows, periods), dtype=np.int64)
    totals = np.full((len(lengths), periods), np.nan)
    states = np.zeros((len(lengths), periods), dtype=np.int64)
    classes_of = np.diff(classes.offsets)
    # portfolios without a benchmark are left out by giving them no class rows at all
    kept = np.flatnonzero(has_benchmark[classes.owner])
    offsets = np.concatenate([[0], np.cumsum(np.where(has_benchmark, classes_of, 0))])
    part, part_days = measured[kept], days_held[kept]
    with_parts = parted(series, starts, ends)
    attribute = kernel(attribution_kernel.attribute, int(lengths[classes.owner[kept]].sum()) * 2)
    attribute(
        series.offsets,
        series.numbers["value_base"],
        series.numbers["inflow_base"],
        with_parts.returns,
        benchmark,
        starts - series.first_day[:, None],
        ends - series.first_day[:, None],
        offsets,
        class_days.begin[kept],
        class_days.values,
        class_days.gains,
        classes.is_cash[kept],
        classes.is_benchmark[kept],
        np.zeros((int(classes_of.max(initial=0)), int(lengths.max(initial=0)))),
        np.empty(int(lengths.max(initial=0))),
        part,
        part_days,
        totals,
        states,
    )
    return _rows(classes, kept, part, part_days, totals, states, with_parts)


def _rows(
    classes: Classes,
    kept: Integers,
    measured: Floats,
    days_held: Integers,
    totals: Floats,
    states: Integers,
    with_parts: Parted,
) -> AttributionRows:
    owner, is_benchmark = classes.owner[kept], classes.is_benchmark[kept]
    is_defined = states[owner] == attribution_kernel.DEFINED
    is_shown = is_benchmark[:, None] | (is_defined & ((days_held > 0) | (np.abs(measured[:, :, 2]) > ROUNDING)))
    row, period = np.nonzero(is_shown)
    state, values = states[owner[row], period], measured[row, period]
    is_tiny = (with_parts.is_tiny[owner[row], period], reasons.TINY_BASE)
    no_returns = (state == attribution_kernel.NO_RETURNS, reasons.NO_RETURNS)
    no_benchmark = (state == attribution_kernel.MISSING_BENCHMARK, reasons.MISSING_BENCHMARK)
    undefined = (is_tiny, no_returns, no_benchmark)
    not_held = (days_held[row, period] == 0, reasons.NOT_HELD)
    elsewhere = (~is_benchmark[row], reasons.NOT_IN_BENCHMARK)
    found = {
        "portfolio_weight": measure(values[:, 0], *undefined),
        "benchmark_weight": measure(is_benchmark[row].astype(np.float64)),
        "portfolio_return": measure(values[:, 1], *undefined, not_held),
        "benchmark_return": measure(totals[owner[row], period], *undefined, elsewhere),
        "allocation": measure(values[:, 2], *undefined),
        "selection": measure(values[:, 3], *undefined),
        "interaction": measure(values[:, 4], *undefined),
    }
    codes = {name: one.code for name, one in found.items()}
    reason = reasons.join_reasons(
        codes, np.zeros(len(row), dtype=np.bool_), METRICS, with_parts.lacks_days[owner[row], period]
    )
    return AttributionRows(kept[row], period, found, reason)
