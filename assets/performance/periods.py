"""The standard periods of `portfolio_performance`: names and first days.

Belongs here: which days a period covers. Must not be here: what is measured over them.
"""

from collections.abc import Mapping
from datetime import date, timedelta

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
