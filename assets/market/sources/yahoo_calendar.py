"""When Yahoo says that a company pays its newest dividend.

Belongs here: one question to its quoteSummary service, over yfinance's own session. Must not be here: prices and
ex-dates (yahoo.py). Yahoo tells the pay date of the newest dividend only. yfinance's `calendar` reads its instants in
the machine's own time zone, in which midnight UTC may be the day before: they are read here.
"""

from datetime import UTC, date, datetime
from typing import Any

_ADDRESS = "https://query2.finance.yahoo.com/v10/finance/quoteSummary/"


def pay_dates(ticker: Any, timeout_seconds: float) -> dict[date, date]:
    """Ex-date → pay date, of one dividend at most; none where Yahoo does not know both.

    Args:
        ticker: of yfinance, with a session that is listening.
        timeout_seconds: for the question.

    Raises:
        LookupError, TypeError: an answer of another shape.
    """
    asked = {"modules": "calendarEvents", "formatted": "false"}
    told = ticker._data.get_raw_json(_ADDRESS + ticker.ticker, params=asked, timeout=timeout_seconds)
    (first, *_) = told["quoteSummary"]["result"]
    events = first["calendarEvents"]
    ex_date, pay_date = (_day(events.get(name)) for name in ("exDividendDate", "dividendDate"))
    return {ex_date: pay_date} if ex_date and pay_date and pay_date >= ex_date else {}


def _day(seconds: object) -> date | None:
    return datetime.fromtimestamp(seconds, UTC).date() if isinstance(seconds, int) and seconds > 0 else None
