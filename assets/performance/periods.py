"""The standard periods of `portfolio_performance`: names and first days.

Belongs here: which days a period covers. Must not be here: what is measured over them.
"""

from collections.abc import Mapping
from datetime import date, timedelta

import numpy as np

from assets.performance.compute import day_number
from assets.performance.measures import Integers
from assets.performance.series import DailySeries

INTRADAY_PERIODS = ("1h", "24h")
YEAR = "1y"
_LAST_DAYS: Mapping[str, int] = {"7d": 7, "30d": 30, "90d": 90, YEAR: 365}
DAILY_PERIODS = (*_LAST_DAYS, "ytd", "all")


def first_day(period_type: str, as_of_date: date) -> date:
    """First day of a period that ends with `as_of_date`, both included; a shorter history begins later.

    `7d` on 31 March is 25..31 March; `1y` is 365 days; `all` begins with the history.
    """
    if period_type in _LAST_DAYS:
        return as_of_date - timedelta(days=_LAST_DAYS[period_type] - 1)
    if period_type == "ytd":
        return as_of_date.replace(month=1, day=1)
    if period_type == "all":
        return date.min
    raise ValueError(f"period type {period_type!r} is none of {', '.join(DAILY_PERIODS)}")


def period_days(series: DailySeries, as_of_date: date) -> tuple[Integers, Integers]:
    """(portfolios, periods) first and last day number of each of `DAILY_PERIODS`, within the history."""
    asked = np.array([[day_number(first_day(period, as_of_date)) for period in DAILY_PERIODS]])
    ends = np.minimum(day_number(as_of_date), series.last_day)[:, None] + np.zeros_like(asked)
    # a portfolio that ended earlier keeps its last day
    return np.clip(asked, series.first_day[:, None], ends), ends
