"""A year of 15-minute candles for 20 symbols, by our pages and by ccxt's own: `python -m benchmarks.market_candles`.

Belongs here: the client's side, against the local provider server in a process of its own with 50 ms latency.
Must not be here: the database. `paginate=True` runs in the same process, on the same exchange object, for each symbol.
"""

import asyncio
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random

from assets.market.collecting import collect
from assets.market.model import Bar, Fetched, Instrument, Outcome, Resolution, Window
from assets.market.sources.ccxt_source import CcxtSource
from assets.market.sources.patient_hosts import Cost, PatientHosts
from assets.network.budget import Hosts, Rate
from assets.network.errors import Failure
from tests.provider_server import COINS

EXPECTED, LIMIT, LATENCY_SECONDS = 35_040, 1_000, 0.05
QUARTER = Resolution.MINUTES_15


async def measure(url: str) -> None:
    """Print rows, gaps, repetitions, requests and times."""
    now = datetime.now(UTC)
    end = now - (now - datetime(1970, 1, 1, tzinfo=UTC)) % QUARTER.step
    year = Window(end - timedelta(days=365), end)
    # the product's own rate for Binance (25 a second) would be what is measured
    hosts = Hosts(time.monotonic, rates={"binance": Rate(1_000.0, 40)})
    asking = PatientHosts(hosts, time.monotonic, Random(1))
    async with CcxtSource("binance", asking, lambda: datetime.now(UTC), url) as source:
        symbols = [source.symbol_of(Instrument(f"crypto:{coin}")) for coin in COINS]
        await source.latest(symbols[:1])  # imports, and the list of markets
        started, cpu = time.perf_counter(), time.process_time()
        made = [await collect(source, one, QUARTER, year, lambda: datetime.now(UTC)) for one in symbols]
        seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
        _print_ours(made, seconds, cpu)

        since = int(year.start.timestamp() * 1_000)
        rows, requests, started = [], 0, time.perf_counter()
        for symbol in symbols:
            cost = Cost()

            async def paginated(exchange, symbol=symbol):
                return await exchange.fetch_ohlcv(symbol.symbol, "15m", since, params={"paginate": True})

            answer = await source._sender(paginated, cost)(600.0)
            assert not isinstance(answer, Failure), answer.message
            rows.append(len({row[0] for row in answer}))
            requests += cost.requests
        seconds = time.perf_counter() - started
        print(f"paginate=True of ccxt: {min(rows):,} to {max(rows):,} rows a symbol of {EXPECTED:,}, "
              f"{requests / len(symbols):.0f} requests a symbol, {seconds:.1f} s, no error")  # fmt: skip


def _print_ours(made: Sequence[Fetched[Bar]], seconds: float, cpu: float) -> None:
    reports = [one.report for one in made]
    most = max(report.requests for report in reports)
    rows, fewest = sum(report.rows for report in reports), min(report.rows for report in reports)
    gaps, repeated = sum(len(one.gaps) for one in reports), sum(one.duplicates_dropped for one in reports)
    print(
        f"our pages: at least {fewest:,} rows a symbol, {gaps} gaps, {repeated} repetitions, at most {most} requests "
        f"a symbol (reach {-(-EXPECTED // LIMIT) + 1}), {seconds:.1f} s, {cpu:.1f} s CPU, {rows / seconds:,.0f} rows/s"
    )
    assert all(report.rows == EXPECTED and report.outcome is Outcome.COMPLETE for report in reports)
    assert most <= -(-EXPECTED // LIMIT) + 1
    assert all(len({bar.opened_at for bar in one.rows}) == EXPECTED for one in made)


def main() -> None:
    """Start the server, measure, stop it."""
    command = [sys.executable, "-m", "tests.provider_server", "--latency", str(LATENCY_SECONDS)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        asyncio.run(measure(server.stdout.readline().strip()))
        server.communicate("")


if __name__ == "__main__":
    main()
