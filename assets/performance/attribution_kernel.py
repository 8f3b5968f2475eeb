"""Brinson-Fachler effects of each class of assets on each day, linked over periods, in loops that numba compiles.

Belongs here: weights of a day, the effects of a day, their linking. Must not be here: anything that numba does not
compile, allocation of arrays (attribution).

Names: days are counted from the portfolio's first; `begin` is where they begin in the daily arrays, `class_begin[c]`
in those of class row c.
"""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

NO_WEIGHT = 1e-9  # a smaller weight has no return of its own
# of a portfolio in a period
DEFINED, NO_RETURNS, MISSING_BENCHMARK = 0, 1, 2


def attribute(
    day_offsets: Integers,
    value: Floats,
    inflow: Floats,
    returns: Floats,
    benchmark: Floats,
    starts: Integers,
    ends: Integers,
    class_offsets: Integers,
    class_begin: Integers,
    class_values: Floats,
    class_gains: Floats,
    is_cash: Booleans,
    is_benchmark: Booleans,
    weights: Floats,
    factors: Floats,
    measured: Floats,
    days_held: Integers,
    benchmark_returns: Floats,
    states: Integers,
) -> None:
    """Fill `measured` (class rows, periods, 5), `days_held`, `benchmark_returns` and `states` (portfolios, periods).

    Args:
        day_offsets: (portfolios + 1,) into `value`, `inflow`, `returns`, `benchmark`.
        value: (days,) at the close.
        inflow: (days,).
        returns: (days,) NaN: no return.
        benchmark: (days,) return of the portfolio's benchmark, NaN: none.
        starts: (portfolios, periods) first day, counted from the portfolio's first.
        ends: (portfolios, periods) last day.
        class_offsets: (portfolios + 1,) class rows of portfolio j; none where it has no benchmark.
        class_begin: (class rows,) into the next two.
        class_values: (class days,) at the close.
        class_gains: (class days,) of the day.
        is_cash: (class rows,).
        is_benchmark: (class rows,).
        weights: (largest number of classes, longest history) scratch.
        factors: (longest history,) scratch.
        measured: out, zero: mean weight, linked return, allocation, selection, interaction.
        days_held: (class rows, periods) out, zero: days with a weight.
        benchmark_returns: out: linked over the days with a return.
        states: out.
    """
    for portfolio in range(len(day_offsets) - 1):
        begin, count = day_offsets[portfolio], day_offsets[portfolio + 1] - day_offsets[portfolio]
        first_class, last_class = class_offsets[portfolio], class_offsets[portfolio + 1]
        if first_class == last_class:
            continue
        weigh_classes(
            begin, count, value, inflow, returns, first_class, last_class, class_begin, class_values, class_gains,
            is_cash, weights,
        )  # fmt: skip
        for period in range(starts.shape[1]):
            start, end = starts[portfolio, period], ends[portfolio, period]
            state, total = link_factors(begin, start, end, returns, benchmark, factors)
            states[portfolio, period], benchmark_returns[portfolio, period] = state, total
            if state != DEFINED:
                continue
            for row in range(first_class, last_class):
                days_held[row, period] = measure_class(
                    begin, start, end, value, inflow, returns, benchmark, factors, weights[row - first_class],
                    class_gains, class_begin[row], 1.0 if is_benchmark[row] else 0.0, measured[row, period],
                )  # fmt: skip


def weigh_classes(
    begin: int,
    count: int,
    value: Floats,
    inflow: Floats,
    returns: Floats,
    first_class: int,
    last_class: int,
    class_begin: Integers,
    class_values: Floats,
    class_gains: Floats,
    is_cash: Booleans,
    weights: Floats,
) -> None:
    """Share of each class in the capital of each day with a return.

    What a class received over the day works in it from the morning on, what it gave stays until the evening, as
    portfolio's own flows do: else a first purchase would be a gain on nothing. Cash is what is left of 1.
    """
    for t in range(count):
        if math.isnan(returns[begin + t]):
            continue
        capital = (value[begin + t - 1] if t > 0 else 0.0) + inflow[begin + t]
        others = 0.0
        for row in range(first_class, last_class):
            if is_cash[row]:
                continue
            day = class_begin[row] + t
            before = class_values[day - 1] if t > 0 else 0.0
            received = class_values[day] - before - class_gains[day]
            weights[row - first_class, t] = (before + max(received, 0.0)) / capital
            others += weights[row - first_class, t]
        for row in range(first_class, last_class):
            if is_cash[row]:
                weights[row - first_class, t] = 1.0 - others


def link_factors(
    begin: int, start: int, end: int, returns: Floats, benchmark: Floats, factors: Floats
) -> tuple[int, float]:
    """(state, linked benchmark return); `factors` become what each day's effects are multiplied by (GRAP 1997).

    The portfolio's index before the day x the benchmark's growth after it: the sum over the days of
    (r - b) x factor telescopes to the difference of the linked returns. Days without a return are left out of both.
    """
    days = 0
    wealth = 1.0
    for t in range(start, end + 1):
        factors[t] = wealth
        if not math.isnan(returns[begin + t]):
            if math.isnan(benchmark[begin + t]):
                return MISSING_BENCHMARK, math.nan
            wealth *= 1.0 + returns[begin + t]
            days += 1
    after = 1.0
    for back in range(end - start + 1):
        t = end - back
        factors[t] *= after
        if not math.isnan(returns[begin + t]):
            after *= 1.0 + benchmark[begin + t]
    return (DEFINED, after - 1.0) if days > 0 else (NO_RETURNS, math.nan)


def measure_class(
    begin: int,
    start: int,
    end: int,
    value: Floats,
    inflow: Floats,
    returns: Floats,
    benchmark: Floats,
    factors: Floats,
    weights: Floats,
    class_gains: Floats,
    class_begin: int,
    benchmark_weight: float,
    measured: Floats,
) -> int:
    """The row of one class in one period; gives the days on which it had a weight."""
    days = days_held = 0
    wealth = 1.0
    for t in range(start, end + 1):
        if math.isnan(returns[begin + t]):
            continue
        capital = (value[begin + t - 1] if t > 0 else 0.0) + inflow[begin + t]
        part = class_gains[class_begin + t] / capital
        total = benchmark[begin + t]
        allocation, selection, interaction = day_effects(weights[t], part, benchmark_weight, total, total)
        measured[2] += allocation * factors[t]
        measured[3] += selection * factors[t]
        measured[4] += interaction * factors[t]
        measured[0] += weights[t]
        days += 1
        if abs(weights[t]) >= NO_WEIGHT:
            wealth *= 1.0 + part / weights[t]
            days_held += 1
    measured[0] /= days
    measured[1] = wealth - 1.0
    return days_held


def day_effects(
    weight: float, part: float, benchmark_weight: float, benchmark_return: float, benchmark_total: float
) -> tuple[float, float, float]:
    """(allocation, selection, interaction) of one class in one period without trades.

    Args:
        weight: of the class in the portfolio.
        part: what the class gave to the portfolio's return: its weight x its return.
        benchmark_weight: of the class in the benchmark.
        benchmark_return: of the class in the benchmark.
        benchmark_total: of the whole benchmark.

    Where one side holds nothing of the class there is no return to compare with, and the whole effect is allocation
    (Laker, Performance Attribution with Zero-Weighted Sectors). The sum is
    part - benchmark weight x benchmark return - (weight - benchmark weight) x benchmark total in every case.
    """
    if benchmark_weight == 0.0:
        return part - weight * benchmark_total, 0.0, 0.0
    active_weight = weight - benchmark_weight
    allocation = active_weight * (benchmark_return - benchmark_total)
    if abs(weight) < NO_WEIGHT:
        return allocation + part - weight * benchmark_return, 0.0, 0.0
    ahead = part / weight - benchmark_return
    return allocation, benchmark_weight * ahead, active_weight * ahead
