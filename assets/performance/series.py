"""Daily series of many portfolios, laid end to end, and rectangular cuts out of them.

Belongs here: the layout of portfolio_daily in memory. Must not be here: what is computed from it, SQL.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Range:
    """One period per portfolio, as a rectangle (portfolios, longest period).

    Attributes:
        series: where the days come from.
        start: (portfolios,) day number of the first day.
        days: (portfolios,) number of days, at least 1.
        index: (portfolios, width) row of each day, clipped past the end.
        is_inside: (portfolios, width) False past the end of the period.
    """

    series: DailySeries
    start: Integers
    days: Integers
    index: Integers
    is_inside: Booleans

    @property
    def has_base(self) -> Booleans:
        """(portfolios,) whether there is a close before the period; not so from inception on."""
        return self.start > self.series.first_day

    def number(self, column: str, past_the_end: float) -> Floats:
        """(portfolios, width) values of a column."""
        return np.where(self.is_inside, self.series.numbers[column][self.index], past_the_end)

    def any_flag(self, column: str, wanted: bool = True) -> Booleans:
        """(portfolios,) whether some day of the period has this flag (or, with `wanted` False, lacks it)."""
        return np.asarray((self.is_inside & (self.series.flags[column][self.index] == wanted)).any(axis=1))

    def flag(self, column: str) -> Booleans:
        """(portfolios, width) values of a flag, False past the end."""
        return self.is_inside & self.series.flags[column][self.index]

    def at_base(self, column: str) -> Floats:
        """(portfolios,) values at the close before the period; 0 from inception on."""
        row = np.maximum(self.index[:, 0] - 1, 0)
        return np.where(self.has_base, self.series.numbers[column][row], 0.0)

    def at_end(self, column: str) -> Floats:
        """(portfolios,) values at the last close of the period."""
        return np.asarray(self.series.numbers[column][self.index[:, 0] + self.days - 1], dtype=np.float64)


def cut(series: DailySeries, start: Integers, end: Integers) -> Range:
    """The days from `start` to `end` (day numbers, both included) of each portfolio, clamped to its history.

    Every portfolio must have at least one day in its range.
    """
    start = np.maximum(start, series.first_day)
    days = np.minimum(end, series.last_day) - start + 1
    columns = np.arange(days.max())
    is_inside = columns < days[:, None]
    first_row = series.offsets[:-1] + (start - series.first_day)
    index = np.where(is_inside, first_row[:, None] + columns, first_row[:, None])
    return Range(series, start, days, index, is_inside)
