"""How fast prices get from sources' answers into PostgreSQL: through comparison, acceptance, landing and the queue.

Run by hand: `python -m benchmarks.market_queue [INSTRUMENTS]` (default 1,000), on an embedded server of its own. The
sources are in the process and answer at once, so that the figures are those of our own work: a year of days for each
instrument through the queue, the same answers again, then a quarter of an hour's newest prices. Beside it, in the same
run, a bare COPY of the same rows into a table of the same shape.
"""

import asyncio
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from random import Random
from types import TracebackType

from assets.market import landing
from assets.market.candles import Limits, plan
from assets.market.latest import LatestPrices
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
)
from assets.market.tracking import track
from assets.market.worker import Worker
from assets.warehouse.database import Connection, connect, copy_rows
from assets.warehouse.migrate import migrate
from benchmarks._command import machine, temporary_home
from orchestration.embedded_postgres import ensure_running

NOW = datetime(2026, 11, 20, 15, tzinfo=UTC)


class Instant:
    """A source that has every coin and answers at once."""

    name = "instant"
    asset_classes = frozenset({"crypto"})

    async def __aenter__(self) -> "Instant":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return None

    def symbol_of(self, instrument: Instrument) -> SourceSymbol | None:
        return SourceSymbol(self.name, instrument.id, instrument.id, "fiat:USD")

    def pages(self, symbol: SourceSymbol, resolution: Resolution, window: Window, now: datetime) -> tuple[Window, ...]:
        return plan(window, resolution, Limits(1_000), now).pages

    def keeps_since(self, resolution: Resolution, now: datetime) -> datetime | None:
        return None

    async def bars(self, symbol: SourceSymbol, resolution: Resolution, page: Window) -> Fetched[Bar]:
        bars = tuple(_bar(symbol, page.start + n * resolution.step, n) for n in range(page.bars(resolution)))
        report = FetchReport(
            self.name, symbol.instrument_id, f"bars {resolution}", page, 1, Outcome.COMPLETE, rows=len(bars)
        )
        return Fetched(bars, report)

    async def latest(self, symbols: Sequence[SourceSymbol]) -> Fetched[Price]:
        prices = tuple(Price(symbol.instrument_id, NOW, Decimal("100.25"), "fiat:USD", self.name) for symbol in symbols)
        return Fetched(prices, FetchReport(self.name, None, "latest", None, 1, Outcome.COMPLETE, rows=len(prices)))

    async def actions(self, symbol: SourceSymbol, window: Window) -> Fetched[Action]:
        return Fetched((), FetchReport(self.name, symbol.instrument_id, "actions", window, 0, Outcome.EMPTY))


def _bar(symbol: SourceSymbol, opened_at: datetime, number: int) -> Bar:
    close = Decimal(10_000 + (number * 37 + len(symbol.symbol)) % 90).scaleb(-2)
    return Bar(symbol.instrument_id, opened_at, Resolution.DAY, close, close + 1, close - 1, close, Decimal(number),
               "fiat:USD", Instant.name)  # fmt: skip


def hold(conn: Connection, instruments: int) -> None:
    """One portfolio that bought one of each a year ago."""
    conn.execute("insert into registry.users values ('u')")
    conn.execute(
        "insert into registry.portfolios (id, user_id, name, base_currency) values ('p', 'u', 'p', 'fiat:USD')"
    )
    conn.execute(
        "insert into raw.batches (kind, source, path, content_hash, row_count, status)"
        " values ('transactions', 'file', 'a', 'a', 1, 'accepted')"
    )
    conn.execute("insert into ops.input_files select path, kind, batch_id from raw.batches")
    conn.execute(
        "insert into raw.transactions (batch_id, line, transaction_id, portfolio_id, account_id, executed_at,"
        " is_date_only, type, instrument_id, quantity, currency) select 1, n, n::text, 'p', 'm', %s, false, 'BUY',"
        " 'crypto:C' || n, 1, 'fiat:USD' from generate_series(1, %s) as n",
        [NOW - timedelta(days=365), instruments],
    )


async def through_the_queue(conn: Connection, instruments: int) -> None:
    """Print seconds and rows a second of each step."""
    source = Instant()
    worker = Worker(conn, {source.name: source}, "one", lambda: NOW, time.monotonic, Random(1), lanes=50)
    before = time.perf_counter(), time.process_time()
    with conn.transaction():
        print(f"track {instruments} instruments: {track(conn, {source.name: source}, NOW)}", end="")
    print(f", {time.perf_counter() - before[0]:.2f} s")
    for name in ("a year of days", "the same again"):
        conn.execute(
            "update registry.tracked_instruments set asked_from = null, asked_until = null, next_job_at = %s", [NOW]
        )
        with conn.transaction():
            track(conn, {source.name: source}, NOW)
        before = time.perf_counter(), time.process_time()
        worked = await worker.work(600)
        seconds, own = time.perf_counter() - before[0], time.process_time() - before[1]
        told = 365 * instruments
        print(f"{name}: {worked.pages} pages, {worked.rows:,} rows changed, {seconds:.2f} s ({own:.2f} s of them ours),"
              f" {told / seconds:,.0f} rows/s")  # fmt: skip
    before = time.perf_counter(), time.process_time()
    worked = await LatestPrices(conn, {source.name: source}, lambda: NOW).refresh(600)
    print(f"newest prices: {worked.prices}, {time.perf_counter() - before[0]:.2f} s")


def bare_copy(conn: Connection, instruments: int) -> None:
    """The same rows into a table of the same shape and key, with nothing else."""
    conn.execute(
        "create temporary table bare (like raw.bars including defaults including identity"
        " including constraints including indexes)"
    )
    symbols = [SourceSymbol(Instant.name, f"crypto:C{n}", "c", "fiat:USD") for n in range(instruments)]
    bars = (_bar(symbol, NOW - timedelta(days=n), n) for symbol in symbols for n in range(365))
    before = time.perf_counter()
    columns = (*landing.COLUMNS, "batch_id", "status")
    rows = copy_rows(conn, "pg_temp.bare", columns, ((*landing.row_of(bar, NOW), 1, "accepted") for bar in bars))
    seconds = time.perf_counter() - before
    print(f"a bare COPY: {rows:,} rows, {seconds:.2f} s, {rows / seconds:,.0f} rows/s")


def main(instruments: int, url: str) -> None:
    """Print all figures."""
    with connect(url, autocommit=True) as conn:
        migrate(conn)
        hold(conn, instruments)
        asyncio.run(through_the_queue(conn, instruments))
        bare_copy(conn, instruments)


if __name__ == "__main__":
    print(machine())
    with temporary_home() as home:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000, ensure_running(home).url)
