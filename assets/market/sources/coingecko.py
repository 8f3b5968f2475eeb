"""CoinGecko's public API: coins by its own id, tokens by chain and address. In US dollars.

Belongs here: its paths and formats (docs.coingecko.com: simple/price, simple/token_price, market_chart/range). Must not
be here: ids (symbols.py). Daily points are of 00:00 UTC: the close of the day before. They come only for ranges longer
than 90 days, so that much is always asked for; the public API has the last 365 days.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from assets.market.candles import Limits, plan
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
from assets.market.sources.answers import counted, joined_parts
from assets.market.sources.patient_hosts import Cost, PatientHosts
from assets.market.sources.points import bars_of_points
from assets.market.sources.service import Service, number, read_exact
from assets.market.symbols import coingecko_symbol
from assets.network.errors import Failure

_KEPT, _DAILY_FROM = timedelta(days=364), timedelta(days=91)
_COINS_PER_REQUEST, _TOKENS_PER_REQUEST = 100, 1
_TOLERANCE = timedelta(minutes=10)


class CoinGeckoSource(Service):
    """See the module. `now` is the wall clock, UTC; `endpoint` is HOLDFAST_ENDPOINT_COINGECKO."""

    name = "coingecko"
    asset_classes = frozenset({"crypto", "token"})

    def __init__(self, asking: PatientHosts, now: Callable[[], datetime], endpoint: str | None = None) -> None:
        super().__init__(self.name, "https://api.coingecko.com/api/v3", asking, endpoint)
        self._now = now

    def symbol_of(self, instrument: Instrument) -> SourceSymbol | None:
        """See `MarketSource`."""
        return coingecko_symbol(instrument)

    def keeps_since(self, resolution: Resolution, now: datetime) -> datetime | None:
        """See `MarketSource`."""
        return now - _KEPT

    def pages(self, symbol: SourceSymbol, resolution: Resolution, window: Window, now: datetime) -> tuple[Window, ...]:
        """See `MarketSource`. Days only."""
        start = max(window.start, now - _KEPT)
        if resolution is not Resolution.DAY or start >= window.end:
            return ()
        return plan(Window(start, window.end), resolution, Limits(_KEPT.days), now).pages

    async def bars(self, symbol: SourceSymbol, resolution: Resolution, page: Window) -> Fetched[Bar]:
        """See `MarketSource`."""
        cost, now = Cost(), self._now()
        report = FetchReport(self.name, symbol.instrument_id, f"bars {resolution}", page, 0, Outcome.FAILED)
        platform, _, address = symbol.symbol.rpartition("/")
        coin = f"{platform}/contract/{address}" if platform else symbol.symbol
        since = min(page.start, now - _DAILY_FROM)
        query = {
            "vs_currency": "usd",
            "from": str(int(since.timestamp())),
            "to": str(int(min(page.end + _TOLERANCE, now).timestamp())),
            "precision": "full",
        }
        answer = await self.get(f"/coins/{coin}/market_chart/range", query, _points, cost)
        report = replace(report, requests=cost.requests, failure=cost.last_failure)
        if isinstance(answer, Failure):
            return Fetched((), failed(report, answer))
        return bars_of_points(answer, symbol, resolution, page, _TOLERANCE, now, report)

    async def latest(self, symbols: Sequence[SourceSymbol]) -> Fetched[Price]:
        """See `MarketSource`. A hundred coins a request; the public API takes one address a request."""
        by_path: dict[str, list[SourceSymbol]] = {}
        for symbol in symbols:
            platform = symbol.symbol.rpartition("/")[0]
            by_path.setdefault(f"/simple/token_price/{platform}" if platform else "/simple/price", []).append(symbol)
        batches = []
        for path, of_path in by_path.items():
            size = _COINS_PER_REQUEST if path == "/simple/price" else _TOKENS_PER_REQUEST
            batches += [(path, of_path[start : start + size]) for start in range(0, len(of_path), size)]
        parts = await asyncio.gather(*(self._prices(path, batch) for path, batch in batches))
        return joined_parts(self.name, "latest", parts)

    async def actions(self, symbol: SourceSymbol, window: Window) -> Fetched[Action]:
        """None: coins have no corporate actions here. No request."""
        return Fetched((), FetchReport(self.name, symbol.instrument_id, "actions", window, 0, Outcome.EMPTY))

    async def _prices(self, path: str, symbols: Sequence[SourceSymbol]) -> Fetched[Price]:
        cost = Cost()
        named = {symbol.symbol.rpartition("/")[2]: symbol for symbol in symbols}
        query = {
            "ids" if path == "/simple/price" else "contract_addresses": ",".join(named),
            "vs_currencies": "usd",
            "include_last_updated_at": "true",
            "precision": "full",
        }
        answer = await self.get(path, query, lambda body: _prices(body, named), cost)
        only = symbols[0].instrument_id if len(symbols) == 1 else None
        report = FetchReport(self.name, only, "latest", None, cost.requests, Outcome.FAILED, failure=cost.last_failure)
        if isinstance(answer, Failure):
            return Fetched((), failed(report, answer))
        return Fetched(tuple(answer), counted(report, len(answer), len(symbols)))


def _points(body: bytes) -> list[tuple[datetime, Decimal]]:
    read: Any = read_exact(body)
    return [(utc(int(at) / 1_000), number(price)) for at, price in read["prices"]]


def _prices(body: bytes, named: dict[str, SourceSymbol]) -> list[Price]:
    """A coin that it does not know is missing in its answer, or stands there without a price."""
    read: Any = read_exact(body)
    if not isinstance(read, dict):
        raise TypeError
    prices = []
    for key, told in read.items():
        symbol = named.get(key.lower())
        if symbol is not None and told.get("usd") is not None:
            at = utc(int(told["last_updated_at"]))
            prices.append(Price(symbol.instrument_id, at, number(told["usd"]), "fiat:USD", symbol.source))
    return prices
