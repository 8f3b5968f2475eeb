"""Holdings of many portfolios laid end to end: positions by interval of days, entries, prices, classes of assets.

Belongs here: the layout in memory. Must not be here: what is computed from it, SQL.
"""

from dataclasses import dataclass

from assets.performance.measures import Booleans, Floats, Integers

CASH_CLASS = "fiat"


@dataclass(frozen=True)
class Holdings:
    """What the portfolios of a daily series held; a holding is one instrument of one portfolio, over all accounts.

    Attributes:
        instrument_ids: (holdings,) by portfolio, then id.
        owner: (holdings,) index of the portfolio in the daily series.
        holding_offsets: (portfolios + 1,) holdings of portfolio j are holding_offsets[j]:holding_offsets[j + 1].
        price_row: (holdings,) row of `prices`; -1: never priced.
        prices: (rows, days) in the base currency of the portfolio, NaN: none at or before that day.
        prices_first_day: day number of the first column of `prices`; the last one is the as-of date or later.
        position_offsets: (holdings + 1,) positions of holding h.
        valid_from: (positions,) day numbers.
        valid_to: (positions,) day numbers, exclusive.
        quantity: (positions,) units at each close of the interval.
        cost: (positions,) in base currency; 0 where unknown, as in the daily table.
        entry_offsets: (holdings + 1,) entries of holding h.
        entry_day: (entries,) day numbers.
        entry_gain: (entries,) base currency: income and realised gains, less fees, taxes and what was carried in.
        class_row: (holdings,) row of the holding's class in `classes`.
        classes: the classes of assets of each portfolio.
    """

    instrument_ids: list[str]
    owner: Integers
    holding_offsets: Integers
    price_row: Integers
    prices: Floats
    prices_first_day: int
    position_offsets: Integers
    valid_from: Integers
    valid_to: Integers
    quantity: Floats
    cost: Floats
    entry_offsets: Integers
    entry_day: Integers
    entry_gain: Floats
    class_row: Integers
    classes: "Classes"


@dataclass(frozen=True)
class Classes:
    """Classes of assets by portfolio: those held at any time, cash, and that of the benchmark.

    Attributes:
        names: (class rows,) by portfolio, then name.
        owner: (class rows,) index of the portfolio in the daily series.
        offsets: (portfolios + 1,) class rows of portfolio j.
        is_cash: (class rows,) whether it is `CASH_CLASS`.
        is_benchmark: (class rows,) whether the benchmark belongs to it; at most one a portfolio.
    """

    names: list[str]
    owner: Integers
    offsets: Integers
    is_cash: Booleans
    is_benchmark: Booleans
