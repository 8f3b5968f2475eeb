"""What is asked of a price source and what it answered: the types that sources, queue, store and acceptance share.

Belongs here: values without behaviour beyond their own arithmetic. Must not be here: requests, SQL, what counts.
Instants are UTC, a window is [start, end), currencies are instrument ids (`fiat:USD`, `crypto:USDT`: a stablecoin is no
dollar), prices are decimals as the provider wrote them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from types import TracebackType
from typing import Generic, Protocol, TypeVar

from assets.network.errors import Failure

T = TypeVar("T")

_SECONDS = {"1m": 60, "5m": 300, "15m": 900, "1h": 3_600, "1d": 86_400}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Resolution(StrEnum):
    """How long a bar is. Bars of one resolution open at whole multiples of it since 1970 (crypto) or by exchange."""

    MINUTE = "1m"
    MINUTES_5 = "5m"
    MINUTES_15 = "15m"
    HOUR = "1h"
    DAY = "1d"

    @property
    def step(self) -> timedelta:
        """The length of a bar."""
        return timedelta(seconds=_SECONDS[self.value])


@dataclass(frozen=True, slots=True, order=True)
class Window:
    """From `start` to before `end`, both UTC. A page of candles is a window too."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError(f"a window from {self.start} to {self.end}: expected instants with an offset")
        if self.start > self.end:
            raise ValueError(f"a window from {self.start} to {self.end}: expected a start that is not after the end")

    def __contains__(self, at: datetime) -> bool:
        return self.start <= at < self.end

    def bars(self, resolution: Resolution) -> int:
        """How many bars open within; the window must lie on the grid."""
        return (self.end - self.start) // resolution.step


@dataclass(frozen=True, slots=True)
class Instrument:
    """What a source needs to know of an instrument to find its own symbol for it; None = not known or not set.

    Attributes:
        id: `crypto:BTC`, `equity:AAPL`, `eip155:1/erc20:0x…`.
        asset_class: as in registry.instruments, else by the id.
        quote_currency: in which its prices are wanted, an instrument id.
        ccxt_symbol: the owner's word: `BTC/USDT`, or `kraken:BTC/USD` for one exchange; several separated by blanks.
        yfinance_symbol: the owner's word: `VWCE.DE`.
    """

    id: str
    asset_class: str | None = None
    quote_currency: str | None = None
    chain: str | None = None
    address: str | None = None
    canonical_instrument: str | None = None
    yfinance_symbol: str | None = None
    ccxt_symbol: str | None = None


@dataclass(frozen=True, slots=True)
class SourceSymbol:
    """An instrument under the name that a source has for it.

    Attributes:
        instrument_id: what the price is of. Of an exchange rate it may be the other currency: asked for `fiat:USD`, the
            ECB answers with `fiat:EUR` in US dollars.
        currency: in which the source quotes it; None = the answer tells (Yahoo).
    """

    source: str
    instrument_id: str
    symbol: str
    currency: str | None


@dataclass(frozen=True, slots=True)
class Bar:
    """One closed candle.

    Attributes:
        opened_at: when it opened; it covers [opened_at, opened_at + resolution). A daily bar of a place with its own
            hours opens at 00:00 UTC of its local trading day.
        open, high, low: None where the source has one price a step (reference rates).
        volume: in units of the instrument; None = not told.
        currency: instrument id.
        priced_at: when the close was; None = the end of the step.
    """

    instrument_id: str
    opened_at: datetime
    resolution: Resolution
    open: Decimal | None
    high: Decimal | None
    low: Decimal | None
    close: Decimal
    volume: Decimal | None
    currency: str
    source: str
    priced_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """One price of one moment.

    Attributes:
        priced_at: as the source tells it.
        is_time_told: False where the source tells no time (Kraken's ticker): then `priced_at` is when it was asked, and
            a frozen feed cannot be told from this source alone.
    """

    instrument_id: str
    priced_at: datetime
    price: Decimal
    currency: str
    source: str
    is_time_told: bool = True


Observation = Bar | Price


class ActionKind(StrEnum):
    """What a company did to its shares."""

    SPLIT = "split"
    DIVIDEND = "dividend"


@dataclass(frozen=True, slots=True)
class Action:
    """A corporate action; `ratio` new shares for an old one (splits), `amount` a share in `currency` (dividends).

    `pay_date` is None where the source does not tell it.
    """

    instrument_id: str
    kind: ActionKind
    ex_date: date
    ratio: Decimal | None
    amount: Decimal | None
    currency: str | None
    source: str
    pay_date: date | None = None


class Outcome(StrEnum):
    """How a question ended. Only the first three are answers."""

    COMPLETE = "complete"  # everything expected came
    GAPS = "gaps"  # it came, and `gaps` says what did not
    EMPTY = "empty"  # the source answered well, and has nothing in this window
    PARTIAL = "partial"  # some pages or symbols came, `failure` says why others did not
    FAILED = "failed"  # nothing came, `failure` says why


@dataclass(frozen=True, slots=True)
class FetchReport:
    """What one question cost and what came of it: a row of the fetch log and the base of `source_freshness`.

    Attributes:
        instrument_id: None where many symbols were asked at once.
        asked: `bars 15m`, `latest` or `actions`.
        window: what was asked for; None for `latest`.
        requests: HTTP requests sent, those that failed too.
        cache_hits: answers that needed no request of their own (a whole file read once, markets already known).
        failure: the last fault; set with an answer too, when it came only after a fault (then `requests` shows it).
        gaps: parts of the window whose bars the source did not have, on the grid. Never filled.
        duplicates_dropped: rows that repeated an instant; the last one stayed.
        contradictions: those of them with other numbers than the one before.
        open_dropped: bars that were not closed at the time of the answer.
        outside_dropped: rows out of the window or off the grid.
        clock_skew_seconds: the server's clock less ours, where it is beyond what a request takes; None = it is not.
    """

    source: str
    instrument_id: str | None
    asked: str
    window: Window | None
    requests: int
    outcome: Outcome
    rows: int = 0
    cache_hits: int = 0
    failure: Failure | None = None
    gaps: tuple[Window, ...] = ()
    duplicates_dropped: int = 0
    contradictions: int = 0
    open_dropped: int = 0
    outside_dropped: int = 0
    clock_skew_seconds: float | None = None

    @property
    def is_answered(self) -> bool:
        """The source said all that it has: the page is done, even when it has gaps."""
        return self.outcome in (Outcome.COMPLETE, Outcome.GAPS, Outcome.EMPTY)


@dataclass(frozen=True)  # with slots, `Fetched[Bar](…)` fails in Python 3.11
class Fetched(Generic[T]):
    """Rows in ascending time, and the report; a fault of a provider is a report, never an exception."""

    rows: tuple[T, ...]
    report: FetchReport
    reports: tuple[FetchReport, ...] = field(default=())  # of its parts, where one question was asked in several


class MarketSource(Protocol):
    """One provider of prices. What it cannot do it says by `()` or `None`, and no request is sent for it.

    Used within `async with`: sessions are opened at the first request and closed at the end.
    """

    @property
    def name(self) -> str:
        """Lower case, as in HOLDFAST_SOURCES and in `source` columns: `binance`, `yahoo`."""

    @property
    def asset_classes(self) -> frozenset[str]:
        """Of which it has prices."""

    def symbol_of(self, instrument: Instrument) -> SourceSymbol | None:
        """Its name for the instrument; None: it has none that was reviewed or given. Asks nobody."""

    def pages(self, symbol: SourceSymbol, resolution: Resolution, window: Window, now: datetime) -> tuple[Window, ...]:
        """The window cut into pieces of one request each, oldest first; asks nobody.

        What the source does not keep, what is not closed at `now` and a resolution it does not have are left out.
        """

    def keeps_since(self, resolution: Resolution, now: datetime) -> datetime | None:
        """The oldest opening of a bar that the source still has; None = no known end. Pages begin no earlier."""

    async def bars(self, symbol: SourceSymbol, resolution: Resolution, page: Window) -> Fetched[Bar]:
        """The bars that open within one page. Idempotent: a page may be asked for again at any time."""

    async def latest(self, symbols: Sequence[SourceSymbol]) -> Fetched[Price]:
        """Newest prices of many symbols, in as few requests as the source allows; `reports` has one for each batch."""

    async def actions(self, symbol: SourceSymbol, window: Window) -> Fetched[Action]:
        """Splits and dividends with an ex-date within the window."""

    async def __aenter__(self) -> "MarketSource": ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...


def utc(seconds: float) -> datetime:
    """An instant from seconds since 1970; exact for whole milliseconds."""
    return _EPOCH + timedelta(milliseconds=round(seconds * 1_000))


def failed(report: FetchReport, failure: Failure) -> FetchReport:
    """The report of a question that no answer came to."""
    return replace(report, outcome=Outcome.FAILED, failure=failure)
