"""DefiLlama's coins API: tokens by chain and address, coins by CoinGecko's id. In US dollars.

Belongs here: its paths and formats (api-docs.defillama.com: prices/current, chart). Must not be here: ids (symbols.py).
A point of a chart is the price nearest to an instant of the grid, within `searchWidth`; it is the close of the step
that ends there, and keeps the instant that it is of.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import quote

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
from assets.market.symbols import defillama_symbol
from assets.network.errors import Failure

# the API documents no limit of `span`; ours keeps an answer small
_LIMITS = Limits(250)
_COINS_PER_REQUEST = 60
_WIDTHS = {Resolution.DAY: timedelta(hours=1), Resolution.HOUR: timedelta(minutes=15)}


class DefiLlamaSource(Service):
    """See the module. `now` is the wall clock, UTC; `endpoint` is HOLDFAST_ENDPOINT_DEFILLAMA."""

    name = "defillama"
    asset_classes = frozenset({"crypto", "token"})

    def __init__(self, asking: PatientHosts, now: Callable[[], datetime], endpoint: str | None = None) -> None:
        super().__init__(self.name, "https://coins.llama.fi", asking, endpoint)
        self._now = now

    def symbol_of(self, instrument: Instrument) -> SourceSymbol | None:
        """See `MarketSource`."""
        return defillama_symbol(instrument)

    def keeps_since(self, resolution: Resolution, now: datetime) -> datetime | None:
        """See `MarketSource`."""
        return None

    def pages(self, symbol: SourceSymbol, resolution: Resolution, window: Window, now: datetime) -> tuple[Window, ...]:
        """See `MarketSource`. Days and hours."""
        return plan(window, resolution, _LIMITS, now).pages if resolution in _WIDTHS else ()

    async def bars(self, symbol: SourceSymbol, resolution: Resolution, page: Window) -> Fetched[Bar]:
        """See `MarketSource`."""
        cost, now, step = Cost(), self._now(), resolution.step
        report = FetchReport(self.name, symbol.instrument_id, f"bars {resolution}", page, 0, Outcome.FAILED)
        query = {
            "start": str(int((page.start + step).timestamp())),
            "span": str(page.bars(resolution)),
            "period": resolution.value,
            "searchWidth": str(int(_WIDTHS[resolution].total_seconds())),
        }
        answer = await self.get(f"/chart/{_path([symbol])}", query, lambda body: _points(body, symbol), cost)
        report = replace(report, requests=cost.requests, failure=cost.last_failure)
        if isinstance(answer, Failure):
            return Fetched((), failed(report, answer))
        return bars_of_points(answer, symbol, resolution, page, _WIDTHS[resolution], now, report)

    async def latest(self, symbols: Sequence[SourceSymbol]) -> Fetched[Price]:
        """See `MarketSource`."""
        batches = [symbols[start : start + _COINS_PER_REQUEST] for start in range(0, len(symbols), _COINS_PER_REQUEST)]
        return joined_parts(self.name, "latest", await asyncio.gather(*map(self._prices, batches)))

    async def actions(self, symbol: SourceSymbol, window: Window) -> Fetched[Action]:
        """None: coins have no corporate actions here. No request."""
        return Fetched((), FetchReport(self.name, symbol.instrument_id, "actions", window, 0, Outcome.EMPTY))

    async def _prices(self, symbols: Sequence[SourceSymbol]) -> Fetched[Price]:
        cost = Cost()
        answer = await self.get(f"/prices/current/{_path(symbols)}", {}, lambda body: _prices(body, symbols), cost)
        only = symbols[0].instrument_id if len(symbols) == 1 else None
        report = FetchReport(self.name, only, "latest", None, cost.requests, Outcome.FAILED, failure=cost.last_failure)
        if isinstance(answer, Failure):
            return Fetched((), failed(report, answer))
        return Fetched(tuple(answer), counted(report, len(answer), len(symbols)))


def _path(symbols: Sequence[SourceSymbol]) -> str:
    return quote(",".join(symbol.symbol for symbol in symbols), safe=":,")


def _coins(body: bytes) -> dict[str, Any]:
    read: Any = read_exact(body)
    return {name.lower(): coin for name, coin in read["coins"].items()}


def _points(body: bytes, symbol: SourceSymbol) -> list[tuple[datetime, Decimal]]:
    coin = _coins(body).get(symbol.symbol.lower())
    return [] if coin is None else [(utc(int(one["timestamp"])), number(one["price"])) for one in coin["prices"]]


def _prices(body: bytes, symbols: Sequence[SourceSymbol]) -> list[Price]:
    coins = _coins(body)
    told = [(symbol, coins[symbol.symbol.lower()]) for symbol in symbols if symbol.symbol.lower() in coins]
    return [
        Price(symbol.instrument_id, utc(int(coin["timestamp"])), number(coin["price"]), "fiat:USD", symbol.source)
        for symbol, coin in told
    ]
