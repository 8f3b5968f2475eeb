"""When markets are open: sessions of exchanges, week-ends of currencies, and the open time between two instants.

Belongs here: calendars as arrays of days. Must not be here: verdicts. Importing the library takes seconds, so it is
imported by the first question about an exchange.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache

import numpy as np
from numpy.typing import NDArray

Days = NDArray[np.datetime64]

_WEEK_CLOSES = 4 * 24 + 22  # hours after Monday 00:00 UTC: Friday 17:00 in New York, in winter; in summer an hour early
_WEEK_OPENS = 6 * 24 + 21
_HOURS = 7 * 24
_SESSION_HOURS = 24  # a latest price may come from any hour of a session: early trading and auctions included


@dataclass(frozen=True, eq=False)
class Sessions:
    """The trading days of one exchange; outside of `first` to `last` nothing is known."""

    first: np.datetime64
    last: np.datetime64
    days: Days

    def is_closed(self, days: Days) -> NDArray[np.bool_]:
        """Where a day is known not to be a session."""
        known = (days >= self.first) & (days <= self.last)
        return np.asarray(known & ~np.isin(days, self.days))


def exchange_sessions(venues: Iterable[str], first: date, last: date) -> dict[str, Sessions]:
    """The sessions of exchanges, by the library's own calendars; a venue that it does not know is left out."""
    found = {}
    for venue in sorted(set(venues)):
        sessions = _library(venue)
        if sessions is not None:
            start, end = max(np.datetime64(first, "D"), sessions.first), min(np.datetime64(last, "D"), sessions.last)
            within = (sessions.days >= start) & (sessions.days <= end)
            found[venue] = Sessions(start, end, sessions.days[within])
    return found


def is_week_end(days: Days) -> NDArray[np.bool_]:
    """Saturdays and Sundays."""
    return np.asarray((days.astype("datetime64[D]").astype(np.int64) + 3) % 7 >= 5)


def open_time(calendar: str, since: datetime, until: datetime, sessions: Sessions | None = None) -> timedelta:
    """How long the market was open between two instants.

    A session of an exchange counts as its whole UTC day, so an exchange is never called open for too short; the age of
    a price over a night is judged by the session that followed it, not by the clock.

    Args:
        calendar: `always`, `week` or `venue`, as in thresholds.
        since: UTC.
        until: UTC; not before `since`.
        sessions: for `venue`; None = its calendar is not known, and only week-ends are taken out.
    """
    if until <= since:
        return timedelta(0)
    if calendar == "always":
        return until - since
    if calendar == "week" or sessions is None:
        return timedelta(hours=_open_hours(until) - _open_hours(since))
    first = np.datetime64(since.astimezone(UTC).date(), "D")
    last = np.datetime64(until.astimezone(UTC).date(), "D")
    total = timedelta(0)
    for day in sessions.days[(sessions.days >= first) & (sessions.days <= last)]:
        opens = datetime.combine(day.astype(date), datetime.min.time(), UTC)
        total += max(min(until, opens + timedelta(hours=_SESSION_HOURS)) - max(since, opens), timedelta(0))
    return total


def _open_hours(at: datetime) -> float:
    """Hours of open currency markets since a Monday long ago."""
    hours = (at - datetime(1970, 1, 5, tzinfo=UTC)) / timedelta(hours=1)
    weeks, within = divmod(hours, _HOURS)
    a_week = _HOURS - (_WEEK_OPENS - _WEEK_CLOSES)
    return weeks * a_week + min(within, _WEEK_CLOSES) + max(within - _WEEK_OPENS, 0.0)


@cache
def _library(venue: str) -> Sessions | None:
    import exchange_calendars

    try:
        # the library's own first day is twenty years ago; it looks a year ahead
        calendar = exchange_calendars.get_calendar(venue)
    except exchange_calendars.errors.InvalidCalendarName:
        return None
    days = calendar.sessions.to_numpy().astype("datetime64[D]")
    return Sessions(days[0], days[-1], days)


def open_days(first: np.datetime64, last: np.datetime64, sessions: Sessions | None) -> int:
    """How many days from the first to the last one should have a bar."""
    if sessions is None:
        return int(np.busday_count(first, last + np.timedelta64(1, "D")))
    return int(np.count_nonzero((sessions.days >= first) & (sessions.days <= last)))
