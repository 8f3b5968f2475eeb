"""Days that begin with less than a cent: their return counts in the whole, but has no parts.

Belongs here: which days these are, and which periods have one. Must not be here: what a part is (contribution,
attribution), SQL.

Amounts are right to some 15 digits. Where what is owed takes up nearly all that is held, or a wei is left, the capital
of a day is of the size of their rounding, and so would be what each instrument gave to its return.
"""

from dataclasses import dataclass

import numpy as np

from assets.performance.amounts import TINY_BASE
from assets.performance.measures import Booleans, Floats, Integers
from assets.performance.series import DailySeries


@dataclass(frozen=True)
class Parted:
    """What of the daily returns has parts.

    Attributes:
        returns: (days,) NaN where the day has no return, or begins with less than `TINY_BASE`.
        is_empty: (portfolios, periods) no day of the period is left.
        is_tiny: (portfolios, periods) no day is left, but some day has a return.
        lacks_days: (portfolios, periods) some return that is not 0 was left out, so that parts miss the whole.
    """

    returns: Floats
    is_empty: Booleans
    is_tiny: Booleans
    lacks_days: Booleans


def parted(series: DailySeries, starts: Integers, ends: Integers) -> Parted:
    """The returns that have parts; `starts` and `ends` are (portfolios, periods) day numbers within the history."""
    value, returns = series.numbers["value_base"], series.numbers["twr_return"]
    before = np.concatenate([[0.0], value[:-1]])
    before[series.offsets[:-1]] = 0.0
    is_dust = before + series.numbers["inflow_base"] < TINY_BASE
    row = (series.offsets[:-1] - series.first_day)[:, None]

    def some(days: Booleans) -> Booleans:
        counted = np.concatenate([[0], np.cumsum(days)])
        return np.asarray(counted[row + ends + 1] > counted[row + starts])

    has_return = ~np.isnan(returns)
    is_empty = ~some(has_return & ~is_dust)
    return Parted(
        returns=np.where(is_dust, np.nan, returns),
        is_empty=is_empty,
        is_tiny=is_empty & some(has_return),
        lacks_days=some(has_return & is_dust & (returns != 0.0)),
    )
