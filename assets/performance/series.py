"""Daily series of many portfolios, laid end to end, and rectangles of the days of a period.

Belongs here: the layout of portfolio_daily in memory. Must not be here: what is computed from it, SQL.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from assets.performance.measures import Booleans, Floats, Integers

# columns of portfolio_daily in the base currency, per day
AMOUNTS = (
    "value_base",
    "inflow_base",
    "outflow_base",
    "realized_pnl_base",
    "unrealized_change_base",
    "income_base",
    "fees_base",
    "taxes_base",
    "trade_fees_base",
    "currency_effect_base",
)
NUMBERS = (*AMOUNTS, "twr_return", "usd_rate", "risk_free_rate")
FLAGS = ("is_complete", "is_market_day", "trades_daily", "is_observed")
# what stands where a period has no day: it changes no sum, no product and no flag
_FILL = {"twr_return": np.nan, "risk_free_rate": np.nan, "is_complete": True}

Values = TypeVar("Values", Floats, Booleans)


class DailySeriesError(ValueError):
    """The daily table is not what it promises: a day is missing or there twice."""


@dataclass(frozen=True)
class DailySeries:
    """Rows of portfolio_daily, by portfolio, then day, without gaps.

    Attributes:
        portfolio_ids: one per portfolio.
        offsets: (portfolios + 1,) rows of portfolio j are offsets[j]:offsets[j + 1].
        first_day: (portfolios,) day number (since 1970-01-01) of each first row.
        numbers: column -> (rows,) float64, NaN for NULL; the names are `NUMBERS`.
        flags: column -> (rows,) bool, False for NULL; the names are `FLAGS`.
    """

    portfolio_ids: list[str]
    offsets: Integers
    first_day: Integers
    numbers: Mapping[str, Floats]
    flags: Mapping[str, Booleans]

    @property
    def last_day(self) -> Integers:
        """(portfolios,) day number of each last row."""
        return self.first_day + np.diff(self.offsets) - 1


def check_days(spans: Mapping[str, tuple[int, int, int]], portfolio_ids: Sequence[str]) -> None:
    """Refuse a portfolio whose days are not consecutive.

    Args:
        spans: portfolio -> first day number, last day number, number of rows.
        portfolio_ids: those that must be there.

    Raises:
        DailySeriesError: names the first such portfolio and its days.
    """
    for portfolio_id in portfolio_ids:
        first, last, rows = spans.get(portfolio_id, (0, -1, 0))
        if rows == 0 or rows != last - first + 1:
            days = f"{np.datetime64(first, 'D')} to {np.datetime64(last, 'D')}" if rows else "no day"
            raise DailySeriesError(
                f"portfolio_daily of {portfolio_id} has {rows} rows for {days}: each day from inception to the as-of "
                "date must be there exactly once; rebuild build.portfolio_daily"
            )


class Range:
    """One period per portfolio, as rectangles (days, portfolios) whose last row is the last day of each.

    Days lie below each other: numpy then adds up all portfolios at once, and each from its first day to its last. Cells
    before a period hold NaN for `twr_return` and `risk_free_rate`, True for `is_complete`, 0 or False for all else.
    A period that ends as another one does is the lower part of its rectangles (`since`): they are made once.

    Attributes:
        series: where the days come from.
        start: (portfolios,) day number of the first day.
        days: (portfolios,) number of days, at least 1.
        last_row: (portfolios,) row of the last day in the series.
    """

    def __init__(self, series: DailySeries, start: Integers, end: Integers) -> None:
        """The days from `start` to `end` (day numbers, both included) of each portfolio, clamped to its history.

        Every portfolio must have at least one day in its range.
        """
        self.series = series
        self.start = np.maximum(start, series.first_day)
        self.days = np.minimum(end, series.last_day) - self.start + 1
        self.last_row = series.offsets[:-1] + (self.start - series.first_day) + self.days - 1
        self._rectangles: dict[str, Any] = {}
        self._longest = self

    def since(self, start: Integers) -> "Range":
        """The part of this range that begins with these days, (portfolios,) day numbers within it."""
        part = Range(self.series, start, self.start + self.days - 1)
        part._longest = self._longest
        return part

    @property
    def has_base(self) -> Booleans:
        """(portfolios,) whether there is a close before the period; not so from inception on."""
        return self.start > self.series.first_day

    def number(self, column: str) -> Floats:
        """(days, portfolios) values of a column."""
        return self.rectangle(column, lambda longest: longest._laid_out(self.series.numbers[column], column))

    def flag(self, column: str) -> Booleans:
        """(days, portfolios) values of a flag."""
        return self.rectangle(column, lambda longest: longest._laid_out(self.series.flags[column], column))

    def at_base(self, column: str) -> Floats:
        """(portfolios,) values at the close before the period; 0 from inception on."""
        row = np.maximum(self.last_row - self.days, 0)
        return np.where(self.has_base, self.series.numbers[column][row], 0.0)

    def at_end(self, column: str) -> Floats:
        """(portfolios,) values at the last close of the period."""
        return np.asarray(self.series.numbers[column][self.last_row], dtype=np.float64)

    def rectangle(self, name: str, make: Callable[["Range"], Values]) -> Values:
        """(days, portfolios) what is made once of the longest range and then cut to each one that ends with it.

        Args:
            name: of what is made.
            make: day by day, of the rectangles of the range that it is given.
        """
        made = self._longest._rectangles
        if name not in made:
            made[name] = make(self._longest)
        cells: Values = made[name][-int(self.days.max()) :]
        if (self.days < np.minimum(len(cells), self._longest.days)).any():
            return _filled(cells, self._days_to_end(len(cells)) < self.days, name)
        return cells

    @cached_property
    def _layout(self) -> tuple[Integers, Booleans]:
        """(days, portfolios) the row in the series of each cell, and whether it lies in the period."""
        to_end = self._days_to_end(int(self.days.max()))
        is_inside = to_end < self.days
        return np.where(is_inside, self.last_row - to_end, self.last_row), is_inside

    def _laid_out(self, values: Values, name: str) -> Values:
        rows, is_inside = self._layout
        return _filled(values[rows], is_inside, name)

    @staticmethod
    def _days_to_end(width: int) -> Integers:
        return np.arange(width)[::-1, None]


def _filled(cells: Values, is_inside: Booleans, name: str) -> Values:
    filled: Values = np.where(is_inside, cells, _FILL.get(name, cells.dtype.type(0)))
    return filled
