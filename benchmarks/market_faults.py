"""Each fault of each price source, and what became of it: `python -m benchmarks.market_faults`.

Belongs here: the real clients against the local provider server, one bad answer and then good ones, or bad ones only.
Must not be here: pass and fail (tests/unit/market/sources). Waiting is told, not done; a hang of 30 s is cut after one.
A row is wrong when bars are fewer than expected and the outcome does not say so.
"""

import asyncio
from datetime import UTC, datetime
from random import Random

from assets.market.model import Instrument, Resolution, Window
from assets.market.sources.build import build_sources
from assets.market.sources.patient_hosts import Patience, PatientHosts
from assets.network.budget import Hosts
from tests.provider_server import FAULTS, Fault, ProviderServer, provider_server

NOW = datetime(2026, 11, 20, 15, 7, tzinfo=UTC)
WEEK = Window(datetime(2026, 11, 2, tzinfo=UTC), datetime(2026, 11, 9, tzinfo=UTC))
HELD = {
    "binance": ("crypto:BTC", "klines"),
    "kraken": ("crypto:BTC", "OHLC"),
    "coinbase": ("crypto:BTC", "candles$"),
    "yahoo": ("equity:AAPL", "finance/chart"),
    "ecb": ("fiat:USD", "eurofxref"),
    "coingecko": ("crypto:BTC", "market_chart"),
    "defillama": ("crypto:BTC", "^/chart"),
}


class _Time:
    """Waiting moves the clock and takes no time."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


async def ask(server: ProviderServer, name: str, fault: Fault | None, times: int) -> str:
    """One page, and its report in words."""
    instrument, path = HELD[name]
    waited = _Time()
    patience = Patience(timeout_seconds=1.0 if fault is FAULTS["hang"] else 20.0)
    asking = PatientHosts(Hosts(waited, 1e6, 1_000_000), waited, Random(1), patience, waited.sleep)
    source = build_sources([name], asking, lambda: NOW, {name: server.url})[name]
    async with source:
        symbol = source.symbol_of(Instrument(instrument))
        assert symbol is not None
        (page,) = source.pages(symbol, Resolution.DAY, WEEK, NOW)
        if name in ("binance", "kraken", "coinbase"):
            await source.latest([symbol])  # the list of markets, and imports
        server.script(path, *[fault] * times)
        report = (await source.bars(symbol, Resolution.DAY, page)).report
    named = report.failure.kind.value if report.failure else "-"
    return f"{report.outcome:9} {report.rows:2} rows {report.requests:2} requests {waited.now:5.1f} s waited  {named}"


async def main() -> None:
    """Print a line for each source, fault and duration."""
    for name in HELD:
        for fault in (None, *FAULTS):
            for times in (1, 9) if fault else (0,):
                with provider_server(NOW.timestamp()) as server:
                    told = await ask(server, name, FAULTS[fault] if fault else None, times)
                print(f"{name:10} {fault or 'no fault':13} {'once' if times < 2 else 'stays':6} {told}", flush=True)


if __name__ == "__main__":
    asyncio.run(main())
