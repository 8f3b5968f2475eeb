"""What each holding gained on each day and gave to the return of each period, in loops that numba compiles.

Belongs here: a holding's daily value and gain from its positions, prices and entries; linking its share of the daily
return. Must not be here: anything that numba does not compile, allocation of arrays (contribution).

Names: a holding is one instrument of one portfolio over all its accounts. Days are counted from the portfolio's first.
`values`, `gains`, `states`, `weights` (in the portfolio's value) are scratch arrays of one holding's days. Arrays are
cut to the days that a loop goes over, and sums stand apart from counts: compiled, it then takes several days at a time.
"""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

# of a holding on a day
NOT_HELD, VALUED, UNPRICED = 0, 1, 2


def contribute(
    first_day: Integers,
    day_offsets: Integers,
    value: Floats,
    inflow: Floats,
    returns: Floats,
    starts: Integers,
    ends: Integers,
    holding_offsets: Integers,
    price_row: Integers,
    prices: Floats,
    prices_first_day: int,
    position_offsets: Integers,
    valid_from: Integers,
    valid_to: Integers,
    quantity: Floats,
    cost: Floats,
    entry_offsets: Integers,
    entry_day: Integers,
    entry_gain: Floats,
    class_begin: Integers,
    class_values: Floats,
    class_gains: Floats,
    day_weights: Floats,
    values: Floats,
    gains: Floats,
    states: Integers,
    weights: Floats,
    unpriced: Floats,
    measured: Floats,
    present: Integers,
) -> None:
    """Fill `measured` (holdings, periods, 6), `present` (holdings, periods, 3) and the daily sums of each class.

    Args:
        first_day: (portfolios,) day numbers.
        day_offsets: (portfolios + 1,) into `value`, `inflow`, `returns`, the columns of the daily table.
        value: (days,) at the close.
        inflow: (days,).
        returns: (days,) NaN: no return.
        starts: (portfolios, periods) first day of each period, counted from the portfolio's first.
        ends: (portfolios, periods) last day.
        holding_offsets: (portfolios + 1,) into the holdings.
        price_row: (holdings,) row of `prices`, -1: never priced.
        prices: (rows, days) in base currency, NaN: none.
        prices_first_day: day number of the first column.
        position_offsets: (holdings + 1,) into the positions.
        valid_from: (positions,) day numbers.
        valid_to: (positions,) day numbers, exclusive.
        quantity: (positions,).
        cost: (positions,) in base currency.
        entry_offsets: (holdings + 1,) into the entries.
        entry_day: (entries,) day numbers.
        entry_gain: (entries,) in base currency: income, realised, less fees, taxes, carried.
        class_begin: (holdings,) where the days of the holding's class begin in the next two.
        class_values: (class days,) zero; the sums of values are added.
        class_gains: (class days,) zero; the sums of gains are added.
        day_weights: (periods, longest history) scratch.
        values: (longest history,) scratch.
        gains: (longest history,) scratch.
        states: (longest history,) scratch.
        weights: (longest history,) scratch.
        unpriced: (days,) NaN, as a row of `prices`, of what has none.
        measured: out, zero: contribution, gain, gain on days without a return, start value, end value, sum of weights.
        present: out: days held or with a gain (the close before included), days held without a price, days with weight.
    """
    for portfolio in range(len(day_offsets) - 1):
        begin, end = day_offsets[portfolio], day_offsets[portfolio + 1]
        own_value, own_returns, count = value[begin:end], returns[begin:end], end - begin
        has_gaps = bool(np.isnan(own_returns).any())
        for period in range(starts.shape[1]):
            weigh_days(
                starts[portfolio, period],
                ends[portfolio, period],
                own_value,
                inflow[begin:end],
                own_returns,
                day_weights[period],
            )
        for holding in range(holding_offsets[portfolio], holding_offsets[portfolio + 1]):
            positions = slice(position_offsets[holding], position_offsets[holding + 1])
            value_days(
                first_day[portfolio],
                prices[price_row[holding]] if price_row[holding] >= 0 else unpriced,
                prices_first_day,
                valid_from[positions],
                valid_to[positions],
                quantity[positions],
                cost[positions],
                values[:count],
                gains[:count],
                states[:count],
            )
            for k in range(entry_offsets[holding], entry_offsets[holding + 1]):
                gains[entry_day[k] - first_day[portfolio]] += entry_gain[k]
            of_class = slice(class_begin[holding], class_begin[holding] + count)
            add_days(values[:count], gains[:count], own_value, class_values[of_class], class_gains[of_class], weights)
            for period in range(starts.shape[1]):
                earlier = same_days(starts[portfolio], ends[portfolio], period)
                if earlier < period:
                    measured[holding, period] = measured[holding, earlier]
                    present[holding, period] = present[holding, earlier]
                    continue
                start, after = starts[portfolio, period], ends[portfolio, period] + 1
                measure_period(
                    own_value[start:after],
                    own_returns[start:after],
                    has_gaps,
                    day_weights[period, start:after],
                    values[start:after],
                    gains[start:after],
                    states[start:after],
                    weights[start:after],
                    measured[holding, period],
                    present[holding, period],
                )
                if start > 0:
                    measured[holding, period, 3] = values[start - 1]
                    present[holding, period, 0] += states[start - 1] != NOT_HELD


def same_days(starts: Integers, ends: Integers, period: int) -> int:
    """The first period with the same days: within its first year a portfolio has several."""
    for earlier in range(period):
        if starts[earlier] == starts[period] and ends[earlier] == ends[period]:
            return earlier
    return period


def weigh_days(start: int, end: int, value: Floats, inflow: Floats, returns: Floats, day_weights: Floats) -> None:
    """What a unit of gain on each day adds to the period's return: the index at the close before / the day's capital.

    The sum of gain x weight telescopes to the linked return, because the gains of a day are its return x its capital.
    """
    wealth = 1.0
    for t in range(start, end + 1):
        day_weights[t] = 0.0
        if not math.isnan(returns[t]):
            before = value[t - 1] if t > 0 else 0.0
            day_weights[t] = wealth / (before + inflow[t])
            wealth *= 1.0 + returns[t]


def value_days(
    first_day: int,
    prices: Floats,
    prices_first_day: int,
    valid_from: Integers,
    valid_to: Integers,
    quantity: Floats,
    cost: Floats,
    values: Floats,
    gains: Floats,
    states: Integers,
) -> None:
    """Value at each close, change of the unrealised gain over each day, and whether it is held and priced."""
    count, to_column = len(values), first_day - prices_first_day
    values[:] = 0.0
    gains[:] = 0.0
    states[:] = NOT_HELD
    for k in range(len(quantity)):
        if quantity[k] == 0.0:
            continue
        for t in range(max(valid_from[k] - first_day, 0), min(valid_to[k] - first_day, count)):
            price = prices[to_column + t]
            if math.isnan(price):
                states[t] = UNPRICED
                continue
            if states[t] == NOT_HELD:
                states[t] = VALUED
            values[t] += quantity[k] * price
            gains[t] += quantity[k] * price - cost[k]
    # backwards: each day's stock of unrealised gain becomes its change
    for back in range(1, count):
        gains[count - back] -= gains[count - back - 1]


def add_days(
    values: Floats, gains: Floats, value: Floats, class_values: Floats, class_gains: Floats, weights: Floats
) -> None:
    """Add a holding's days to those of its class; its weight in the portfolio's value, 0 where there is none."""
    for t in range(len(values)):
        class_values[t] += values[t]
        class_gains[t] += gains[t]
        weights[t] = values[t] / value[t] if value[t] > 0.0 else 0.0


def measure_period(
    value: Floats,
    returns: Floats,
    has_gaps: bool,
    day_weights: Floats,
    values: Floats,
    gains: Floats,
    states: Integers,
    weights: Floats,
    measured: Floats,
    present: Integers,
) -> None:
    """The holding's row of one period, of its days alone; what was held at the close before them is not looked at."""
    contribution = gain = weight = unlinked_gain = 0.0
    days_present = days_unpriced = days_weighed = 0
    for t in range(len(gains)):
        gain += gains[t]
        contribution += day_weights[t] * gains[t]
        weight += weights[t]
    for t in range(len(gains)):
        days_present += (states[t] != NOT_HELD) | (gains[t] != 0.0)
        days_unpriced += states[t] == UNPRICED
        days_weighed += value[t] > 0.0
    if has_gaps:
        for t in range(len(gains)):
            unlinked_gain += gains[t] if math.isnan(returns[t]) else 0.0
    measured[0] = contribution
    measured[1] = gain
    measured[2] = unlinked_gain
    measured[4] = values[-1]
    measured[5] = weight
    present[0] = days_present
    present[1] = days_unpriced
    present[2] = days_weighed
