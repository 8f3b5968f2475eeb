"""Exchanges through ccxt: any of its ids is a source.

Belongs here: what ccxt must be told and what it must not be believed. Must not be here: pages (candles.py), balances
and trades (assets/accounts). ccxt 4.5.90 turns HTML or cut JSON with status 200 into an empty list, calls Binance's 429
DDoSProtection and a geo-block ExchangeNotAvailable, and converts prices to floats: so every answer is read by our own
strict reader first, a fault is named by its HTTP status and headers, and numbers stay text.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Self, TypeVar

from assets.market.candles import Limits, assemble, keeps_since, plan
from assets.market.model import (
    Action,
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
    utc,
)
from assets.market.sources.answers import counted, decimal_of, joined_parts
from assets.market.sources.endpoints import redirected
from assets.market.sources.patient_hosts import Cost, PatientHosts
from assets.market.symbols import ccxt_symbol
from assets.network.errors import Failure, Kind, MalformedResponseError, classify
from assets.network.http import read_json

T = TypeVar("T")

# what the exchanges document, and what ccxt 4.5.90 asks for at most: Binance klines 1000; Kraken's OHLC has the newest
# 720 only, whatever `since` says; Coinbase 350 candles, of which ccxt asks for 300
_LIMITS = {"binance": Limits(1000), "kraken": Limits(720, bars_kept=720), "coinbase": Limits(300)}
_UNREVIEWED_LIMIT = 100
_OPTIONS: dict[str, dict[str, object]] = {"binance": {"fetchMarkets": {"types": ["spot"]}}}
_TICKERS_PER_REQUEST = 100
# a pair that was in the list and is no more; ccxt has no class for it and would have it asked again
_BAD_SYMBOL_TEXTS = ("EQuery:Unknown asset pair",)
# a Date header has whole seconds and is made before the answer travels
_SKEW_SECONDS = 5.0


@dataclass(slots=True)
class _Heard:
    """What came over the wire while one question was asked."""

    cost: Cost
    status: int | None = None
    headers: dict[str, str] | None = None
    has_empty_list: bool = False
    skew_seconds: float = 0.0


_heard: ContextVar[_Heard] = ContextVar("heard")


class CcxtSource:
    """One exchange.

    Args:
        exchange: an id of ccxt, such as `binance`.
        asking: budgets and patience.
        now: the wall clock, UTC.
        endpoint: HOLDFAST_ENDPOINT_<EXCHANGE>, instead of all of the exchange's hosts.
        limits: of its candles; by default what was reviewed, else what ccxt says.
    """

    asset_classes = frozenset({"crypto", "token"})

    def __init__(
        self,
        exchange: str,
        asking: PatientHosts,
        now: Callable[[], datetime],
        endpoint: str | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.name = exchange
        self._asking, self._now, self._endpoint = asking, now, endpoint
        self._limits = limits or _LIMITS.get(exchange)
        self._exchange: Any = None
        self._is_ready = asyncio.Lock()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *raised: object) -> None:
        if self._exchange is not None:
            exchange, self._exchange = self._exchange, None
            await exchange.close()

    def symbol_of(self, instrument: Instrument) -> SourceSymbol | None:
        """See `MarketSource`."""
        return ccxt_symbol(instrument, self.name)

    def pages(self, symbol: SourceSymbol, resolution: Resolution, window: Window, now: datetime) -> tuple[Window, ...]:
        """See `MarketSource`."""
        if resolution.value not in (self._client().timeframes or {}):
            return ()
        return plan(window, resolution, self._candle_limits(), now).pages

    def keeps_since(self, resolution: Resolution, now: datetime) -> datetime | None:
        """See `MarketSource`."""
        return keeps_since(resolution, self._candle_limits(), now)

    async def bars(self, symbol: SourceSymbol, resolution: Resolution, page: Window) -> Fetched[Bar]:
        """See `MarketSource`. One request, and one before it for the list of markets, once for each source."""
        cost = Cost()
        report = FetchReport(self.name, symbol.instrument_id, f"bars {resolution}", page, 0, Outcome.FAILED)

        async def fetch(exchange: Any) -> tuple[list[Bar], _Heard]:
            market = exchange.market(symbol.symbol)
            if not market.get("spot"):
                raise _WrongMarketError
            rows = await exchange.fetch_ohlcv(
                symbol.symbol, resolution.value, int(page.start.timestamp() * 1_000), page.bars(resolution)
            )
            heard = _heard.get()
            if not rows and not heard.has_empty_list:
                raise MalformedResponseError  # JSON of another shape: ccxt finds no candles in it and says nothing
            return [_bar(row, symbol, resolution, self.name) for row in rows], heard

        answer = await self._ask(fetch, cost)
        report = replace(report, requests=cost.requests, failure=cost.last_failure)
        if isinstance(answer, Failure):
            return Fetched((), failed(report, answer))
        rows, heard = answer
        skew = heard.skew_seconds
        kept = assemble(rows, page, resolution, self._now() + timedelta(seconds=min(skew, 0.0)))
        report = replace(
            report,
            outcome=Outcome.COMPLETE if not kept.gaps else Outcome.GAPS if kept.bars else Outcome.EMPTY,
            rows=len(kept.bars),
            gaps=kept.gaps,
            duplicates_dropped=kept.duplicates,
            contradictions=kept.contradictions,
            open_dropped=kept.still_open,
            outside_dropped=kept.outside,
            clock_skew_seconds=skew or None,
        )
        return Fetched(kept.bars, report)

    async def latest(self, symbols: Sequence[SourceSymbol]) -> Fetched[Price]:
        """See `MarketSource`. A ticker without a time of its own is priced at the moment it was asked for."""
        parts = [
            await self._tickers(symbols[start : start + _TICKERS_PER_REQUEST])
            for start in range(0, len(symbols), _TICKERS_PER_REQUEST)
        ]
        return joined_parts(self.name, "latest", parts)

    async def _tickers(self, symbols: Sequence[SourceSymbol]) -> Fetched[Price]:
        cost, asked_at = Cost(), self._now()

        async def fetch(exchange: Any) -> dict[str, Any]:
            known = [symbol.symbol for symbol in symbols if symbol.symbol in exchange.markets]
            if not known:
                raise _WrongMarketError
            tickers: dict[str, Any] = await exchange.fetch_tickers(known)
            return tickers

        answer = await self._ask(fetch, cost)
        only = symbols[0].instrument_id if len(symbols) == 1 else None
        report = FetchReport(self.name, only, "latest", None, cost.requests, Outcome.FAILED, failure=cost.last_failure)
        if isinstance(answer, Failure):
            return Fetched((), failed(report, answer))
        prices = []
        for symbol in symbols:
            ticker = answer.get(symbol.symbol) or {}
            value, at = decimal_of(ticker.get("last")), ticker.get("timestamp")
            if value is not None and symbol.currency is not None:
                told = utc(at / 1_000) if at else None
                prices.append(
                    Price(symbol.instrument_id, told or asked_at, value, symbol.currency, self.name, told is not None)
                )
        return Fetched(tuple(prices), counted(report, len(prices), len(symbols)))

    async def actions(self, symbol: SourceSymbol, window: Window) -> Fetched[Action]:
        """None: coins have no corporate actions here. No request."""
        report = FetchReport(self.name, symbol.instrument_id, "actions", window, 0, Outcome.EMPTY)
        return Fetched((), report)

    async def _ask(self, fetch: Callable[[Any], Awaitable[T]], cost: Cost) -> T | Failure:
        """One question with the list of markets at hand; what ccxt raises comes back as a `Failure`."""
        async with self._is_ready:  # the first one fetches the markets, the others wait for it
            if not self._client().markets:
                loaded = await self._asking.ask(self.name, self._sender(_markets, cost), cost)
                if isinstance(loaded, Failure):
                    return loaded
        return await self._asking.ask(self.name, self._sender(fetch, cost), cost)

    def _sender(self, fetch: Callable[[Any], Awaitable[T]], cost: Cost) -> Callable[[float], Awaitable[T | Failure]]:
        async def send(timeout_seconds: float) -> T | Failure:
            heard = _Heard(cost)
            token = _heard.set(heard)
            exchange = self._client()
            try:
                async with asyncio.timeout(timeout_seconds):
                    return await fetch(exchange)
            except TimeoutError as error:
                return classify(error)
            except _WrongMarketError:
                return Failure.of(Kind.PERMANENT, "no such spot market")
            except Exception as error:
                return self._failure(error, heard)
            finally:
                _heard.reset(token)

        return send

    def _failure(self, error: Exception, heard: _Heard) -> Failure:
        """Name a fault; what is neither ccxt's, ours nor the reader's is a defect and is raised."""
        names = {base.__name__ for base in type(error).__mro__}
        if isinstance(error, MalformedResponseError):
            return classify(error)
        if "BaseError" in names:  # ccxt's own
            if "BadSymbol" in names or any(text in str(error) for text in _BAD_SYMBOL_TEXTS):
                return Failure.of(Kind.PERMANENT, "BadSymbol")
            bad = heard.status if heard.status is not None and not 200 <= heard.status < 300 else None
            return classify(error, bad, heard.headers, self._now())
        if isinstance(error, OSError):
            return classify(error)
        if isinstance(error, LookupError | TypeError | ValueError | ArithmeticError | AttributeError):
            return Failure.of(Kind.MALFORMED, type(error).__name__)  # a shape that ccxt did not think of
        raise error

    def _candle_limits(self) -> Limits:
        if self._limits is None:
            spot = (self._client().features or {}).get("spot") or {}
            self._limits = Limits(int((spot.get("fetchOHLCV") or {}).get("limit") or _UNREVIEWED_LIMIT))
        return self._limits

    def _client(self) -> Any:
        """The exchange of ccxt, with our reader in front of its own."""
        if self._exchange is None:
            import ccxt.async_support

            if self.name not in ccxt.async_support.exchanges:
                raise ValueError(f"{self.name!r} is no exchange of ccxt; expected an id such as binance: correct it")
            exchange = getattr(ccxt.async_support, self.name)(
                {
                    "enableRateLimit": False,  # our bucket counts for the host, not for one object
                    "timeout": 3_600_000,  # ours ends it
                    "options": _OPTIONS.get(self.name, {}),
                }
            )
            exchange.number = str
            exchange.has["fetchCurrencies"] = False  # load_markets would ask for them, with further requests
            self._listen(exchange)
            self._exchange = exchange
        return self._exchange

    def _listen(self, exchange: Any) -> None:
        fetch, parse_json, parse_ohlcvs = exchange.fetch, exchange.parse_json, exchange.parse_ohlcvs

        async def redirected_fetch(url: str, *rest: object, **options: object) -> Any:
            _heard.get().cost.requests += 1
            return await fetch(redirected(url, self._endpoint), *rest, **options)

        def on_rest_response(
            status: int, _reason: str, _url: str, _method: str, headers: dict[str, str], body: str, *_: object
        ) -> str:
            heard = _heard.get()
            heard.status, heard.headers = status, headers
            heard.skew_seconds = _skew_seconds(headers, self._now())
            return body.strip()

        def strict_json(body: str) -> Any:
            heard = _heard.get()
            if heard.status is not None and not 200 <= heard.status < 300:
                return parse_json(body)
            value = read_json(body.encode())
            heard.has_empty_list = _has_empty_list(value)
            return value

        def all_ohlcvs(rows: object, market: object = None, timeframe: str = "1m", *_: object, **__: object) -> Any:
            # neither cut nor filtered: ccxt keeps the first `limit` rows, so that one repeated row drives out the last
            return parse_ohlcvs(rows, market, timeframe)

        exchange.fetch, exchange.on_rest_response = redirected_fetch, on_rest_response
        exchange.parse_json, exchange.parse_ohlcvs = strict_json, all_ohlcvs


async def _markets(exchange: Any) -> Any:
    """All markets, asked for anew: after an answer without any, ccxt would give that one back for ever."""
    markets = await exchange.load_markets(True)
    if not markets:
        raise MalformedResponseError
    return markets


class _WrongMarketError(Exception):
    """The symbol is not one of a spot market there."""


def _bar(row: Sequence[Any], symbol: SourceSymbol, resolution: Resolution, source: str) -> Bar:
    opened, high, low, close = (decimal_of(value) for value in row[1:5])
    if row[0] is None or opened is None or high is None or low is None or close is None or symbol.currency is None:
        raise MalformedResponseError
    return Bar(
        symbol.instrument_id,
        utc(row[0] / 1_000),
        resolution,
        opened,
        high,
        low,
        close,
        decimal_of(row[5]),
        symbol.currency,
        source,
    )


def _has_empty_list(value: object) -> bool:
    """Whether an answer says "nothing" in its own words: an empty list that is not the list of its errors."""
    if isinstance(value, list):
        return not value or any(_has_empty_list(one) for one in value[:3])
    if isinstance(value, dict):
        return any(_has_empty_list(one) for name, one in value.items() if name not in ("error", "errors"))
    return False


def _skew_seconds(headers: dict[str, str], now: datetime) -> float:
    """The server's clock less ours where they differ by more than an answer takes; else 0."""
    date = next((value for name, value in headers.items() if name.lower() == "date"), None)
    try:
        skew = (parsedate_to_datetime(date) - now).total_seconds() if date else 0.0
    except (ValueError, TypeError):
        return 0.0
    return skew if abs(skew) > _SKEW_SECONDS else 0.0
