"""Yahoo through yfinance: equities, funds, exchange rates, commodities, indices; splits and dividends.

Belongs here: how yfinance is called, prices as they were traded. Must not be here: the session and its checks
(yahoo_session.py), what an answer means (yahoo_answers.py), which price counts. Traps of yfinance, each a test:
`download` swallows faults (only `Ticker.history` is used); an empty frame is an error, so more is asked for than is
wanted and a window without a trading day is no excuse; `auto_adjust=True` rewrites history with each dividend; and even
the unadjusted close is divided by every later split (help.yahoo.com, "What is the adjusted close?"), so the splits up
to today are asked for with it and taken out again: what is stored is what was traded. London quotes are in pence.
"""

import asyncio
import math
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Self, TypeVar

from assets.market.model import (
    Action,
    ActionKind,
    Bar,
    Fetched,
    FetchReport,
    Instrument,
    Outcome,
    Price,
    Resolution,
    SourceSymbol,
    Window,
    failed,
)
from assets.market.sources.answers import decimal_of, joined_parts
from assets.market.sources.patient_hosts import Cost, PatientHosts
from assets.market.sources.yahoo_answers import History, dividends_of, exact, history_of, session_end
from assets.market.sources.yahoo_calendar import pay_dates
from assets.market.symbols import yahoo_symbol
from assets.network.errors import Failure, Kind, MalformedResponseError, classify

T = TypeVar("T")

# how far back Yahoo has bars of a resolution (yfinance, `history`): 1m in pieces of 8 days, 60 days, 730 days
_REACH = {
    Resolution.MINUTE: timedelta(days=7),
    Resolution.MINUTES_5: timedelta(days=59),
    Resolution.MINUTES_15: timedelta(days=59),
    Resolution.HOUR: timedelta(days=729),
}
# longer than any exchange was shut since 2001, so that an answer is never rightly empty
_LEAD = timedelta(days=14)
# quotes of some exchanges come 20 minutes late, and a closing auction ends after the session
_LATE = timedelta(minutes=30)
_THREADS = 16


class YahooSource:
    """Yahoo's chart service.

    Args:
        asking: budgets and patience.
        now: the wall clock, UTC.
        endpoint: HOLDFAST_ENDPOINT_YAHOO, instead of all of Yahoo's hosts.
    """

    name = "yahoo"
    asset_classes = frozenset({"equity", "etf", "fiat", "commodity", "index", "rate", "bond", "crypto"})

    def __init__(self, asking: PatientHosts, now: Callable[[], datetime], endpoint: str | None = None) -> None:
        self._asking, self._now, self._endpoint = asking, now, endpoint
        self._threads: ThreadPoolExecutor | None = None
        self._session: Any = None
        self._is_opening = threading.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *raised: object) -> None:
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)
            self._threads = None
        if self._session is not None:
            self._session.close()
            self._session = None

    def symbol_of(self, instrument: Instrument) -> SourceSymbol | None:
        """See `MarketSource`."""
        return yahoo_symbol(instrument)

    def keeps_since(self, resolution: Resolution, now: datetime) -> datetime | None:
        """See `MarketSource`."""
        return now - _REACH[resolution] if resolution in _REACH else None

    def pages(self, symbol: SourceSymbol, resolution: Resolution, window: Window, now: datetime) -> tuple[Window, ...]:
        """See `MarketSource`. One page: an answer has no limit of rows, and needs the splits up to today anyway."""
        start = max(window.start, self.keeps_since(resolution, now) or window.start)
        end = min(window.end, now)
        return (Window(start, end),) if start < end else ()

    async def bars(self, symbol: SourceSymbol, resolution: Resolution, page: Window) -> Fetched[Bar]:
        """See `MarketSource`. Gaps are the bars that Yahoo lists without a price; its calendar is not known here."""
        cost = Cost()
        report = FetchReport(self.name, symbol.instrument_id, f"bars {resolution}", page, 0, Outcome.FAILED)
        answer = await self._history(symbol, resolution, page.start, cost)
        report = replace(report, requests=cost.requests, failure=cost.last_failure)
        if isinstance(answer, Failure):
            return Fetched((), failed(report, answer))
        bars, gaps, still_open = self._bars(answer, symbol, resolution, page)
        outcome = Outcome.GAPS if bars and gaps else Outcome.COMPLETE if bars else Outcome.EMPTY
        return Fetched(bars, replace(report, outcome=outcome, rows=len(bars), gaps=gaps, open_dropped=still_open))

    async def latest(self, symbols: Sequence[SourceSymbol]) -> Fetched[Price]:
        """See `MarketSource`. One request a symbol."""
        return joined_parts(self.name, "latest", await asyncio.gather(*(self._latest(one) for one in symbols)))

    async def actions(self, symbol: SourceSymbol, window: Window) -> Fetched[Action]:
        """See `MarketSource`. Dividends as paid on a share of that day; distributions of gains are dividends."""
        cost = Cost()
        report = FetchReport(self.name, symbol.instrument_id, "actions", window, 0, Outcome.FAILED)
        answer = await self._history(symbol, Resolution.DAY, window.start, cost)
        report = replace(report, requests=cost.requests, failure=cost.last_failure)
        if isinstance(answer, Failure):
            return Fetched((), failed(report, answer))
        found: list[Action] = []
        for ex_date, ratio in answer.splits:
            value = Decimal(ratio.numerator) / Decimal(ratio.denominator)
            found.append(Action(symbol.instrument_id, ActionKind.SPLIT, ex_date, value, None, None, self.name))
        for ex_date, paid in dividends_of(answer):
            amount = paid * answer.unit * answer.later_splits(ex_date)
            currency = answer.currency
            found.append(Action(symbol.instrument_id, ActionKind.DIVIDEND, ex_date, None, amount, currency, self.name))
        kept = sorted((one for one in found if _midnight(one.ex_date) in window), key=lambda one: one.ex_date)
        if any(one.kind is ActionKind.DIVIDEND for one in kept):
            kept = await self._with_pay_date(symbol, kept, cost)
            report = replace(report, requests=cost.requests)
        return Fetched(
            tuple(kept), replace(report, outcome=Outcome.COMPLETE if kept else Outcome.EMPTY, rows=len(kept))
        )

    async def _with_pay_date(self, symbol: SourceSymbol, actions: list[Action], cost: Cost) -> list[Action]:
        """The newest dividend's pay date beside it; where it cannot be had, the ex-date counts, and nothing fails."""
        told = await self._ask(symbol, pay_dates, cost)
        known = {} if isinstance(told, Failure) else told
        return [
            replace(one, pay_date=known.get(one.ex_date)) if one.kind is ActionKind.DIVIDEND else one for one in actions
        ]

    async def _latest(self, symbol: SourceSymbol) -> Fetched[Price]:
        cost = Cost()
        report = FetchReport(self.name, symbol.instrument_id, "latest", None, 0, Outcome.FAILED)
        answer = await self._history(symbol, Resolution.DAY, self._now(), cost)
        report = replace(report, requests=cost.requests, failure=cost.last_failure)
        if isinstance(answer, Failure):
            return Fetched((), failed(report, answer))
        value, at = decimal_of(answer.meta.get("regularMarketPrice")), _instant(answer.meta.get("regularMarketTime"))
        if value is None or at is None:
            return Fetched((), failed(report, Failure.of(Kind.MALFORMED, "no market price or time")))
        price = Price(symbol.instrument_id, at, value * answer.unit, answer.currency, self.name)
        return Fetched((price,), replace(report, outcome=Outcome.COMPLETE, rows=1))

    async def _history(
        self, symbol: SourceSymbol, resolution: Resolution, since: datetime, cost: Cost
    ) -> History | Failure:
        now = self._now()
        start = min(since, now) - _LEAD
        start = max(start, self.keeps_since(resolution, now) or start)

        def read(ticker: Any, timeout_seconds: float) -> History | Failure:
            frame = ticker.history(
                start=start,
                end=now + timedelta(days=1),
                interval=resolution.value,
                auto_adjust=False,
                actions=True,
                keepna=True,
                timeout=timeout_seconds,
            )
            return history_of(frame, ticker.get_history_metadata())

        return await self._ask(symbol, read, cost)

    async def _ask(self, symbol: SourceSymbol, read: Callable[[Any, float], T | Failure], cost: Cost) -> T | Failure:
        """One question, in a thread of our own: yfinance waits for its answers."""

        async def send(timeout_seconds: float) -> T | Failure:
            if self._threads is None:
                self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="yahoo")
            return await asyncio.get_running_loop().run_in_executor(
                self._threads, self._call, symbol, read, timeout_seconds, cost
            )

        return await self._asking.ask(self.name, send, cost)

    def _call(
        self, symbol: SourceSymbol, read: Callable[[Any, float], T | Failure], timeout: float, cost: Cost
    ) -> T | Failure:
        """One call of yfinance."""
        from assets.market.sources.yahoo_session import RefusedError, open_session, quiet_yfinance

        yfinance = quiet_yfinance()
        with self._is_opening:
            self._session = self._session or open_session(self._endpoint)
        with self._session.listening(timeout, cost, self._now):
            ticker = yfinance.Ticker(symbol.symbol, session=self._session)
            try:
                # asked for with instants, Yahoo's own time zone is in its answer: yfinance would ask for it first
                ticker._tz = "UTC"
                ticker._data.cache_get = ticker._data.get  # its cache of past dates keeps error pages too
                answer = read(ticker, timeout)
                # without a cookie store on disk yfinance forgets that it has one, and asks for it each time
                ticker._data._cookie = True
                return answer
            except RefusedError as refused:
                if refused.failure.kind is Kind.AUTH_OR_GEO:
                    ticker._data._cookie = ticker._data._crumb = None
                return refused.failure
            except Exception as error:
                return _failure(error)

    def _bars(
        self, history: History, symbol: SourceSymbol, resolution: Resolution, page: Window
    ) -> tuple[tuple[Bar, ...], tuple[Window, ...], int]:
        now = self._now()
        ends_at = session_end(history.meta)
        has_volume = not symbol.symbol.endswith("=X") and not symbol.symbol.startswith("^")
        bars: list[Bar] = []
        gaps: list[Window] = []
        still_open = 0
        columns = history.frame[["Open", "High", "Low", "Close", "Volume"]]
        for stamp, *values in columns.itertuples(name=None):
            day = stamp.date()
            opened_at = _midnight(day) if resolution is Resolution.DAY else stamp.to_pydatetime().astimezone(UTC)
            if opened_at not in page:
                continue
            if resolution is Resolution.DAY:
                is_closed = ends_at is None or day < ends_at.date() or now >= ends_at + _LATE
            else:
                is_closed = opened_at + resolution.step <= now
            if not is_closed:
                still_open += 1
                continue
            if any(math.isnan(value) for value in values[:4]):
                gaps.append(Window(opened_at, opened_at + resolution.step))
                continue
            split = history.later_splits(day)
            scale = history.unit * split
            opened, high, low, close = (exact(value) * scale for value in values[:4])
            volume = exact(values[4]) / split if has_volume else None
            bars.append(
                Bar(
                    symbol.instrument_id, opened_at, resolution, opened, high, low, close, volume,
                    history.currency, self.name,
                )
            )  # fmt: skip
        return tuple(bars), tuple(gaps), still_open


def _failure(error: Exception) -> Failure:
    """Name a fault; a defect of ours is raised."""
    names = {base.__name__ for base in type(error).__mro__}
    if isinstance(error, MalformedResponseError | OSError) or "YFRateLimitError" in names:
        return classify(error)
    if "YFException" in names:  # no prices, no time zone: an answer without what was asked for
        return Failure.of(Kind.MALFORMED, type(error).__name__)
    if isinstance(error, LookupError | TypeError | ValueError | ArithmeticError | AttributeError):
        return Failure.of(Kind.MALFORMED, type(error).__name__)  # a shape that yfinance did not think of
    raise error


def _instant(value: object) -> datetime | None:
    if isinstance(value, int | float) and math.isfinite(value):
        return datetime.fromtimestamp(value, UTC)
    as_datetime = getattr(value, "to_pydatetime", None)
    found = as_datetime() if as_datetime else None
    return found.astimezone(UTC) if found is not None and found.tzinfo else None


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
