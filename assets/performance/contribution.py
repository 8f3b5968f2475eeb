"""What each instrument gave to the return of a period, adding up exactly to it.

Belongs here: arrays in, one row per holding and period out, with the reason of each NULL. Must not be here: the loops
(contribution_kernel), reading and writing (loading, store), SQL.

Of a day: contribution = gain / (value at the close before + inflows), the capital of the daily return; the gain is
income + realised gains + change of the unrealised gain - fees - taxes - what was carried in. Over a period each day's
contribution is multiplied by the index of the portfolio at the close before it, the index of the period's start being 1
(forward linking: the part of GRAP, 1997, that needs no benchmark): the sum over days and instruments telescopes to the
linked return. A day without a return, or one that begins with less than a cent (dust), contributes nothing; its gain
stands in `unlinked_gain_base`.
"""

from dataclasses import dataclass

import numpy as np

from assets.performance import contribution_kernel, reasons
from assets.performance.compiled import kernel
from assets.performance.dust import Parted, parted
from assets.performance.holdings import Holdings
from assets.performance.measures import Floats, Integers, Measure, measure
from assets.performance.series import DailySeries

METRICS = (
    "contribution",
    "gain_base",
    "unlinked_gain_base",
    "start_value_base",
    "end_value_base",
    "average_weight",
)


@dataclass(frozen=True)
class ContributionRows:
    """One row per holding and period in which it was held or gained something.

    Attributes:
        holding: (rows,) index of the holding.
        period: (rows,) index of the period.
        measures: `METRICS` -> values and codes; NaN where undefined.
        undefined_reason: (rows,) text or None.
    """

    holding: Integers
    period: Integers
    measures: dict[str, Measure]
    undefined_reason: list[str | None]


@dataclass(frozen=True)
class ClassDays:
    """Daily sums by class of assets: the days of class row c are begin[c] ... begin[c] + days of its portfolio.

    Attributes:
        begin: (class rows,).
        values: (class days,) at the close, base currency.
        gains: (class days,) of the day, base currency.
    """

    begin: Integers
    values: Floats
    gains: Floats


def contributions(
    series: DailySeries, holdings: Holdings, starts: Integers, ends: Integers
) -> tuple[ContributionRows, ClassDays]:
    """The contribution of each holding to each period, and the daily sums by class.

    Args:
        series: daily rows of the portfolios.
        holdings: what they held.
        starts: (portfolios, periods) day numbers within the history.
        ends: (portfolios, periods) day numbers within the history, not before `starts`.
    """
    count, periods = len(holdings.instrument_ids), starts.shape[1]
    lengths = np.diff(series.offsets)
    longest = int(lengths.max(initial=0))
    days_of_class = lengths[holdings.classes.owner]
    class_begin = np.cumsum(days_of_class) - days_of_class
    days = ClassDays(class_begin, np.zeros(int(days_of_class.sum())), np.zeros(int(days_of_class.sum())))
    measured = np.zeros((count, periods, len(METRICS)))
    present = np.zeros((count, periods, 3), dtype=np.int64)
    with_parts = parted(series, starts, ends)
    contribute = kernel(contribution_kernel.contribute, int(lengths[holdings.owner].sum()))
    contribute(
        series.first_day,
        series.offsets,
        series.numbers["value_base"],
        series.numbers["inflow_base"],
        with_parts.returns,
        starts - series.first_day[:, None],
        ends - series.first_day[:, None],
        holdings.holding_offsets,
        holdings.price_row,
        holdings.prices,
        holdings.prices_first_day,
        holdings.position_offsets,
        holdings.valid_from,
        holdings.valid_to,
        holdings.quantity,
        holdings.cost,
        holdings.entry_offsets,
        holdings.entry_day,
        holdings.entry_gain,
        class_begin[holdings.class_row],
        days.values,
        days.gains,
        np.empty((periods, longest)),
        np.empty(longest),
        np.empty(longest),
        np.empty(longest, dtype=np.int64),
        np.empty(longest),
        np.full(holdings.prices.shape[1], np.nan),
        measured,
        present,
    )
    return _rows(measured, present, with_parts, holdings.owner), days


def _rows(measured: Floats, present: Integers, with_parts: Parted, owner: Integers) -> ContributionRows:
    holding, period = np.nonzero(present[:, :, 0])
    values, days_unpriced, days_weighed = (
        measured[holding, period],
        present[holding, period, 1],
        present[holding, period, 2],
    )
    # without a price on any day it was out of the portfolio's value: nothing is known of it, not even a gain of zero
    is_unknown = (days_unpriced > 0) & (values[:, :5] == 0.0).all(axis=1)
    unpriced = (is_unknown, reasons.MISSING_PRICE)
    found = {name: measure(values[:, k], unpriced) for k, name in enumerate(METRICS)}
    found["contribution"] = measure(
        values[:, 0],
        unpriced,
        (with_parts.is_tiny[owner[holding], period], reasons.TINY_BASE),
        (with_parts.is_empty[owner[holding], period], reasons.NO_RETURNS),
    )
    found["average_weight"] = measure(
        values[:, 5] / np.maximum(days_weighed, 1), unpriced, (days_weighed == 0, reasons.NO_VALUE)
    )
    codes = {name: one.code for name, one in found.items()}
    reason = reasons.join_reasons(
        codes, ~is_unknown & (days_unpriced > 0), METRICS, with_parts.lacks_days[owner[holding], period]
    )
    return ContributionRows(holding, period, found, reason)
