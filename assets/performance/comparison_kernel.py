"""Equal weights of what was held, and sums over the days two series of returns share, in loops that numba compiles.

Belongs here: the mean return of held instruments by day; products, means and squares of paired returns by period. Must
not be here: anything that numba does not compile, allocation of arrays, annualising and thresholds (comparison).

Names: days are day numbers; `begin` is where a portfolio's days begin in the daily arrays.
"""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
Booleans = NDArray[np.bool_]

# columns of `days` and `sums` that `compare` fills
FIRST_DAY, LAST_DAY, PAIRED, OBSERVATIONS, TRADES_DAILY = range(5)
LINKED_OWN, LINKED_OTHER, MEAN_OWN, MEAN_OTHER, SQUARES_OWN, SQUARES_OTHER, PRODUCTS = range(7)
MEAN_DIFFERENCE, SQUARES_DIFFERENCE, RISK_FREE = range(7, 10)
DAY_COLUMNS, SUM_COLUMNS = 5, 10


def average_held(
    first_day: Integers,
    day_offsets: Integers,
    holding_offsets: Integers,
    return_row: Integers,
    returns: Floats,
    returns_first_day: int,
    position_offsets: Integers,
    valid_from: Integers,
    valid_to: Integers,
    quantity: Floats,
    counts: Integers,
    average: Floats,
) -> None:
    """Fill `average` (days,): the mean return of what was held long at the close before, NaN where none is known.

    An instrument counts once however many accounts hold it. Holdings are in order of instrument and positions in
    order of days, so that the last bits of a sum do not depend on the order of a table.

    Args:
        first_day: (portfolios,).
        day_offsets: (portfolios + 1,) into `counts` and `average`.
        holding_offsets: (portfolios + 1,) into the holdings.
        return_row: (holdings,) row of `returns`, -1: none.
        returns: (rows, days) in base currency, NaN: none.
        returns_first_day: day number of the first column.
        position_offsets: (holdings + 1,) into the positions.
        valid_from: (positions,) first close of the interval.
        valid_to: (positions,) exclusive.
        quantity: (positions,).
        counts: (days,) scratch, zero.
        average: out, zero.
    """
    columns = returns.shape[1]
    for portfolio in range(len(day_offsets) - 1):
        begin, count = day_offsets[portfolio], day_offsets[portfolio + 1] - day_offsets[portfolio]
        first = max(first_day[portfolio], returns_first_day)
        last = min(first_day[portfolio] + count, returns_first_day + columns) - 1
        for holding in range(holding_offsets[portfolio], holding_offsets[portfolio + 1]):
            row = return_row[holding]
            if row < 0:
                continue
            counted = first - 1
            for k in range(position_offsets[holding], position_offsets[holding + 1]):
                if quantity[k] <= 0.0:
                    continue
                # held at the close before the day: from the day after the first close to the day after the last one
                for day in range(max(valid_from[k], counted) + 1, min(valid_to[k], last) + 1):
                    earned = returns[row, day - returns_first_day]
                    if not math.isnan(earned):
                        average[begin + day - first_day[portfolio]] += earned
                        counts[begin + day - first_day[portfolio]] += 1
                counted = max(counted, valid_to[k])
        for day in range(begin, begin + count):
            average[day] = average[day] / counts[day] if counts[day] > 0 else math.nan


def compare(
    own_begin: Integers,
    own_first_day: Integers,
    own_count: Integers,
    own_returns: Floats,
    is_market_day: Booleans,
    trades_daily: Booleans,
    risk_free_rate: Floats,
    other_begin: Integers,
    other_first_day: Integers,
    other_count: Integers,
    other_returns: Floats,
    period_starts: Integers,
    days: Integers,
    sums: Floats,
) -> None:
    """Fill `days` (pairs, periods, DAY_COLUMNS) and `sums` (pairs, periods, SUM_COLUMNS).

    A day is paired where both have a return. It is an observation if it is a market day, or if on some paired day of
    the period the portfolio held anything that trades every day. Linked returns, the mean risk-free rate and the flag
    are of the paired days; means and sums of squared deviations (and of products) of the observations.

    Args:
        own_begin: (pairs,) into the next four.
        own_first_day: (pairs,).
        own_count: (pairs,) days.
        own_returns: (days,) NaN: no return.
        is_market_day: (days,).
        trades_daily: (days,).
        risk_free_rate: (days,) per year, NaN counts as 0.
        other_begin: (pairs,) into `other_returns`.
        other_first_day: (pairs,).
        other_count: (pairs,) days.
        other_returns: (other days,) NaN: no return.
        period_starts: (periods,) first day; every period ends with the history.
        days: out, zero: first and last paired day, paired days, observations, whether something trades daily.
        sums: out, zero: 1 + linked return of own and other, means of both, squares of both, products, mean and squares
            of the difference, mean risk-free rate.
    """
    for pair in range(len(own_begin)):
        # where a day number stands in each array
        own_zero, other_zero = own_begin[pair] - own_first_day[pair], other_begin[pair] - other_first_day[pair]
        first = max(own_first_day[pair], other_first_day[pair])
        last = min(own_first_day[pair] + own_count[pair], other_first_day[pair] + other_count[pair]) - 1
        for period in range(len(period_starts)):
            link_paired(
                max(first, period_starts[period]),
                last,
                own_zero,
                own_returns,
                trades_daily,
                risk_free_rate,
                other_zero,
                other_returns,
                days[pair, period],
                sums[pair, period],
            )
            if days[pair, period, PAIRED] > 0:
                square_observations(
                    own_zero,
                    own_returns,
                    is_market_day,
                    other_zero,
                    other_returns,
                    days[pair, period],
                    sums[pair, period],
                )


def link_paired(
    first: int,
    last: int,
    own_zero: int,
    own_returns: Floats,
    trades_daily: Booleans,
    risk_free_rate: Floats,
    other_zero: int,
    other_returns: Floats,
    days: Integers,
    sums: Floats,
) -> None:
    """Of one pair and period: first and last paired day, their number, linked returns, risk-free rate, the flag."""
    linked_own, linked_other, risk_free, paired = 1.0, 1.0, 0.0, 0
    for day in range(first, last + 1):
        own, other = own_returns[own_zero + day], other_returns[other_zero + day]
        if math.isnan(own) or math.isnan(other):
            continue
        if paired == 0:
            days[FIRST_DAY] = day
        days[LAST_DAY] = day
        paired += 1
        linked_own *= 1.0 + own
        linked_other *= 1.0 + other
        if not math.isnan(risk_free_rate[own_zero + day]):
            risk_free += risk_free_rate[own_zero + day]
        if trades_daily[own_zero + day]:
            days[TRADES_DAILY] = 1
    days[PAIRED] = paired
    sums[LINKED_OWN], sums[LINKED_OTHER] = linked_own, linked_other
    if paired > 0:
        sums[RISK_FREE] = risk_free / paired


def square_observations(
    own_zero: int,
    own_returns: Floats,
    is_market_day: Booleans,
    other_zero: int,
    other_returns: Floats,
    days: Integers,
    sums: Floats,
) -> None:
    """Of one pair and period: observations, means, then squares and products of the deviations from them."""
    all_count = days[TRADES_DAILY] == 1
    own_sum, other_sum, difference_sum, observations = 0.0, 0.0, 0.0, 0
    for day in range(days[FIRST_DAY], days[LAST_DAY] + 1):
        own, other = own_returns[own_zero + day], other_returns[other_zero + day]
        if not (math.isnan(own) or math.isnan(other)) and (all_count or is_market_day[own_zero + day]):
            own_sum += own
            other_sum += other
            difference_sum += own - other
            observations += 1
    days[OBSERVATIONS] = observations
    if observations == 0:
        return
    own_mean, other_mean, difference_mean = (
        own_sum / observations,
        other_sum / observations,
        difference_sum / observations,
    )
    own_squares, other_squares, products, difference_squares = 0.0, 0.0, 0.0, 0.0
    for day in range(days[FIRST_DAY], days[LAST_DAY] + 1):
        own, other = own_returns[own_zero + day], other_returns[other_zero + day]
        if not (math.isnan(own) or math.isnan(other)) and (all_count or is_market_day[own_zero + day]):
            own_squares += (own - own_mean) * (own - own_mean)
            other_squares += (other - other_mean) * (other - other_mean)
            products += (own - own_mean) * (other - other_mean)
            difference_squares += (own - other - difference_mean) * (own - other - difference_mean)
    sums[MEAN_OWN], sums[MEAN_OTHER], sums[MEAN_DIFFERENCE] = own_mean, other_mean, difference_mean
    sums[SQUARES_OWN], sums[SQUARES_OTHER] = own_squares, other_squares
    sums[PRODUCTS], sums[SQUARES_DIFFERENCE] = products, difference_squares
