"""What each holding gained on each day and gave to the return of each period, in loops that numba compiles.

Belongs here: a holding's daily value and gain from its positions, prices and entries; linking its share of the daily
return. Must not be here: anything that numba does not compile, allocation of arrays (contribution).

Names: a holding is one instrument of one portfolio over all its accounts. Days are counted from the portfolio's first;
`begin` is where its days begin in the daily arrays. `values`, `gains`, `states` are scratch arrays of one holding's
days.
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
        measured: out: contribution, gain, gain on days without a return, start value, end value, sum of weights.
        present: out: days held or with a gain (the close before included), days held without a price, days with weight.
    """
    for portfolio in range(len(day_offsets) - 1):
        begin, count = day_offsets[portfolio], day_offsets[portfolio + 1] - day_offsets[portfolio]
        for period in range(starts.shape[1]):
            weigh_days(
                begin, starts[portfolio, period], ends[portfolio, period], value, inflow, returns, day_weights[period]
            )
        for holding in range(holding_offsets[portfolio], holding_offsets[portfolio + 1]):
            value_days(
                count,
                first_day[portfolio],
                price_row[holding],
                prices,
                prices_first_day,
                position_offsets[holding],
                position_offsets[holding + 1],
                valid_from,
                valid_to,
                quantity,
                cost,
                values,
                gains,
                states,
            )
            for k in range(entry_offsets[holding], entry_offsets[holding + 1]):
                gains[entry_day[k] - first_day[portfolio]] += entry_gain[k]
            for t in range(count):
                class_values[class_begin[holding] + t] += values[t]
                class_gains[class_begin[holding] + t] += gains[t]
            for period in range(starts.shape[1]):
                measure_period(
                    begin,
                    starts[portfolio, period],
                    ends[portfolio, period],
                    value,
                    returns,
                    day_weights[period],
                    values,
                    gains,
                    states,
                    measured[holding, period],
                    present[holding, period],
                )


def weigh_days(
    begin: int, start: int, end: int, value: Floats, inflow: Floats, returns: Floats, day_weights: Floats
) -> None:
    """What a unit of gain on each day adds to the period's return: the index at the close before / the day's capital.

    The sum of gain x weight telescopes to the linked return, because the gains of a day are its return x its capital.
    """
    wealth = 1.0
    for t in range(start, end + 1):
        day_weights[t] = 0.0
        if not math.isnan(returns[begin + t]):
            before = value[begin + t - 1] if t > 0 else 0.0
            day_weights[t] = wealth / (before + inflow[begin + t])
            wealth *= 1.0 + returns[begin + t]


def value_days(
    count: int,
    first_day: int,
    price_row: int,
    prices: Floats,
    prices_first_day: int,
    position_begin: int,
    position_end: int,
    valid_from: Integers,
    valid_to: Integers,
    quantity: Floats,
    cost: Floats,
    values: Floats,
    gains: Floats,
    states: Integers,
) -> None:
    """Value at each close, change of the unrealised gain over each day, and whether it is held and priced."""
    for t in range(count):
        values[t] = 0.0
        gains[t] = 0.0
        states[t] = NOT_HELD
    for k in range(position_begin, position_end):
        if quantity[k] == 0.0:
            continue
        for t in range(max(valid_from[k] - first_day, 0), min(valid_to[k] - first_day, count)):
            price = prices[price_row, first_day + t - prices_first_day] if price_row >= 0 else math.nan
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


def measure_period(
    begin: int,
    start: int,
    end: int,
    value: Floats,
    returns: Floats,
    day_weights: Floats,
    values: Floats,
    gains: Floats,
    states: Integers,
    measured: Floats,
    present: Integers,
) -> None:
    """The holding's row of one period."""
    contribution = gain = unlinked_gain = weights = 0.0
    days_present = days_unpriced = days_weighed = 0
    if start > 0 and states[start - 1] != NOT_HELD:
        days_present += 1
    for t in range(start, end + 1):
        gain += gains[t]
        if math.isnan(returns[begin + t]):
            unlinked_gain += gains[t]
        else:
            contribution += day_weights[t] * gains[t]
        if states[t] != NOT_HELD or gains[t] != 0.0:
            days_present += 1
        if states[t] == UNPRICED:
            days_unpriced += 1
        if value[begin + t] > 0.0:
            weights += values[t] / value[begin + t]
            days_weighed += 1
    measured[0] = contribution
    measured[1] = gain
    measured[2] = unlinked_gain
    measured[3] = values[start - 1] if start > 0 else 0.0
    measured[4] = values[end]
    measured[5] = weights
    present[0] = days_present
    present[1] = days_unpriced
    present[2] = days_weighed
