"""Risk measures of many portfolios, in loops that numba compiles (see assets.performance.compiled).

Belongs here: a portfolio's daily returns from those of its assets, and their measures. Must not be here: anything that
numba does not compile, checks of the caller's arrays (risk).
"""

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

VOLATILITY, SHARPE, SORTINO, MAX_DRAWDOWN, VALUE_AT_RISK, EXPECTED_SHORTFALL = 0, 1, 2, 3, 4, 5
MEASURES = 6
# below it, a deviation is rounding: a series of +1 % a day has one of about 1e-16
ZERO_DEVIATION = 1e-12


def measure_population(
    returns: Floats,
    offsets: Integers,
    members: Integers,
    weights: Floats,
    risk_free: float,
    periods: float,
    tail: float,
    values: Floats,
) -> None:
    """Fill `values` (portfolios, MEASURES) for weights restored each day; `returns` is (N, days)."""
    days = returns.shape[1]
    own, lowest = np.empty(days), np.empty(days)
    for portfolio in range(len(offsets) - 1):
        for day in range(days):
            own[day] = 0.0
        for k in range(offsets[portfolio], offsets[portfolio + 1]):
            for day in range(days):
                own[day] += weights[k] * returns[members[k], day]
        if offsets[portfolio] == offsets[portfolio + 1]:
            own[0] = math.nan
        measure(own, risk_free, periods, tail, lowest, values[portfolio])


def measure_series(returns: Floats, risk_free: float, periods: float, tail: float, values: Floats) -> None:
    """Fill `values` (portfolios, MEASURES); `returns` is (portfolios, days)."""
    lowest = np.empty(returns.shape[1])
    for portfolio in range(len(returns)):
        measure(returns[portfolio], risk_free, periods, tail, lowest, values[portfolio])


def measure(returns: Floats, risk_free: float, periods: float, tail: float, lowest: Floats, values: Floats) -> None:
    """Fill `values` (MEASURES,); `lowest` is scratch for the returns of the tail, in order."""
    days = len(returns)
    place = (days - 1) * tail
    cut = int(place)
    room = min(cut + 2, days)  # the quantile lies between the last two
    found = 0
    total, downside, wealth, peak, fall = 0.0, 0.0, 1.0, 1.0, 0.0
    for day in range(days):
        value = returns[day]
        total += value
        below = min(value - risk_free, 0.0)
        downside += below * below
        wealth *= 1.0 + value
        peak = max(peak, wealth)
        fall = min(fall, wealth / peak - 1.0)
        if found < room or value < lowest[room - 1]:
            k = min(found, room - 1)
            while k > 0 and lowest[k - 1] > value:
                lowest[k] = lowest[k - 1]
                k -= 1
            lowest[k] = value
            found = min(found + 1, room)
    for k in range(MEASURES):
        values[k] = math.nan
    if not math.isfinite(total):
        return
    mean = total / days
    squares = 0.0
    for day in range(days):
        squares += (returns[day] - mean) * (returns[day] - mean)
    if days > 1:
        deviation = math.sqrt(squares / (days - 1))
        values[VOLATILITY] = deviation * math.sqrt(periods)
        if deviation > ZERO_DEVIATION:
            values[SHARPE] = (mean - risk_free) / deviation * math.sqrt(periods)
        deviation = math.sqrt(downside / days)
        if deviation > ZERO_DEVIATION:
            values[SORTINO] = (mean - risk_free) / deviation * math.sqrt(periods)
    values[MAX_DRAWDOWN] = fall
    values[VALUE_AT_RISK] = lowest[cut]
    if cut + 1 < room:
        values[VALUE_AT_RISK] += (lowest[cut + 1] - lowest[cut]) * (place - cut)
    shortfall = 0.0
    for k in range(cut + 1):
        shortfall += lowest[k]
    values[EXPECTED_SHORTFALL] = shortfall / (cut + 1)
