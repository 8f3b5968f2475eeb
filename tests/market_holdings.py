"""Holdings without a pipeline run, and a worker in a process of its own, for the tests of market data."""

import asyncio
import random
import sys
import time
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

from assets.market.refreshing import Access, open_sources, worker_name
from assets.market.worker import Worker
from assets.market.working import Worked
from assets.warehouse.database import Connection, connect

NOW = datetime(2026, 11, 20, 15, 0, tzinfo=UTC)
PROVIDERS = ("binance", "kraken", "coinbase", "yahoo", "ecb")


def access_to(url: str, *names: str) -> Access:
    """Sources at the local server."""
    return Access(names or PROVIDERS, {name: url for name in names or PROVIDERS})


def hold(conn: Connection, *instruments: str, since: datetime = NOW - timedelta(days=400), **portfolio: Any) -> None:
    """A portfolio that bought one of each for dollars; more of them with each call."""
    settings = {"base_currency": "fiat:USD", "benchmark": None} | portfolio
    conn.execute("insert into registry.users values ('user') on conflict do nothing")
    conn.execute(
        "insert into registry.portfolios (id, user_id, name, base_currency, benchmark) values ('p', 'user', 'p', %s, %s)"
        " on conflict do nothing",
        [settings["base_currency"], settings["benchmark"]],
    )
    row = conn.execute(
        "insert into raw.batches (kind, source, path, content_hash, row_count, status)"
        " values ('transactions', 'file', %s, %s, %s, 'accepted') returning batch_id",
        [instruments[0], repr(instruments), len(instruments)],
    ).fetchone()
    batch = row[0] if row else 0
    conn.execute("insert into ops.input_files values (%s, 'transactions', %s)", [repr(instruments), batch])
    for line, instrument in enumerate(instruments):
        conn.execute(
            "insert into raw.transactions (batch_id, line, transaction_id, portfolio_id, account_id, executed_at,"
            " is_date_only, type, instrument_id, quantity, price, currency)"
            " values (%s, %s, %s, 'p', 'main', %s, false, 'BUY', %s, 1, 100, 'fiat:USD')",
            [batch, line, f"{batch}-{line}", since, instrument],
        )


def work(
    url: str, access: Access, seconds: float = 60.0, lease: timedelta = timedelta(minutes=5), lanes: int = 8,
    *, is_patient: bool = False,
) -> Worked:  # fmt: skip
    """One worker with sources and a connection of its own."""

    async def run() -> Worked:
        with connect(url, autocommit=True) as conn:
            async with AsyncExitStack() as stack:
                sources = await open_sources(conn, access, lambda: NOW, stack)
                worker = Worker(
                    conn, sources, worker_name(), lambda: NOW, time.monotonic, random.Random(1), lease=lease,
                    lanes=lanes,
                )  # fmt: skip
                return await worker.work(seconds, is_patient=is_patient)

    return asyncio.run(run())


if __name__ == "__main__":
    database, server, lease_seconds = sys.argv[1:]
    work(database, access_to(server, "binance"), lease=timedelta(seconds=float(lease_seconds)), lanes=1)
