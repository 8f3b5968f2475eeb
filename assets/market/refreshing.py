"""The market brought up to date: what is held is tracked, history that is missing is fetched, newest prices are asked.

Belongs here: the order of these and their shares of the time. Must not be here: SQL, decisions about jobs, the
environment (orchestration passes on what it says). A source that fails costs its own prices alone.
"""

import asyncio
import os
import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from random import SystemRandom
from secrets import token_hex

from assets.market import store
from assets.market.latest import LatestPrices
from assets.market.model import MarketSource
from assets.market.sources.build import RATES, SOURCES, build_sources
from assets.market.sources.chainlink import Calls
from assets.market.sources.patient_hosts import Patience, PatientHosts
from assets.market.store import HOLDINGS_CHANNEL
from assets.market.tracking import TrackingResult, track
from assets.market.worker import Worker
from assets.market.working import Worked
from assets.network.budget import Deadline, Hosts
from assets.network.permission import is_allowed
from assets.warehouse.database import Connection

#: Prices can turn out to be in a currency that needs a price itself, and that one in another.
_ROUNDS = 3
#: A run does not wait for a source that fails: shorter than the rest of a host that failed too often in a row, so that
#: the questions behind it end at once, and are asked again a quarter of an hour later.
PATIENCE_OF_RUN = Patience(tries=3, timeout_seconds=10.0, deadline_seconds=15.0)


@dataclass(frozen=True, slots=True)
class Access:
    """Which sources may be asked, and where.

    Attributes:
        allowed: names; None = all that the holdings need, () = none.
        endpoints: HOLDFAST_ENDPOINT_<SOURCE> by source.
        calls: reads contracts of chains, for prices that stand there; None: there are none.
    """

    allowed: tuple[str, ...] | None = None
    endpoints: Mapping[str, str] | None = None
    calls: Calls | None = None

    @property
    def is_any(self) -> bool:
        """Whether any source of prices may be asked."""
        return self.allowed is None or bool(source_names(self.allowed, ()))


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What bringing the market up to date did."""

    tracking: TrackingResult
    history: tuple[Worked, ...]
    latest: Worked

    @property
    def new_rows(self) -> int:
        """Rows new or corrected."""
        return sum(worked.rows for worked in (*self.history, self.latest))

    @property
    def requests(self) -> int:
        """HTTP requests sent."""
        return sum(worked.requests for worked in (*self.history, self.latest))

    def __str__(self) -> str:
        pages, failed = sum(one.pages for one in self.history), sum(one.failed for one in self.history)
        return (
            f"{self.tracking}; {pages} pages, {self.latest.prices} latest prices, {self.new_rows:,} rows new or"
            f" corrected, {self.requests} requests" + (f", {failed} jobs failed" if failed else "")
        )


def source_names(allowed: Sequence[str] | None, order: Iterable[str]) -> list[str]:
    """Reviewed sources, then exchanges that the owner names, as far as they may be asked.

    Args:
        allowed: as in HOLDFAST_SOURCES; None = all. It names chains, exchanges and brokers of accounts too.
        order: as in portfolios.yaml.
    """
    named = [name for name in (*order, *(allowed or ())) if name not in SOURCES and name not in ("chains", "files")]
    others: list[str] = []
    if named:
        import ccxt

        others = [name for name in dict.fromkeys(named) if name in ccxt.exchanges]
    return [name for name in (*SOURCES, *others) if is_allowed(name, allowed)]


def bring_up_to_date(
    conn: Connection,
    access: Access,
    now: Callable[[], datetime],
    seconds: float,
    *,
    horizon: datetime | None = None,
    is_present: bool = True,
    holds_pipeline: bool = False,
    run_id: str | None = None,
    is_patient: bool = False,
) -> Refreshed:
    """Track, fetch and refresh within a time.

    Args:
        conn: in autocommit; it is written to in short transactions.
        access: which sources may be asked.
        now: the wall clock, UTC.
        seconds: the time; what is left waits for the next time.
        horizon: history is asked for up to here; default now.
        is_present: newest prices are wanted too.
        holds_pipeline: the caller's run alone writes.
        run_id: written beside batches and log rows.
        is_patient: wait for second tries within the time.
    """
    return asyncio.run(
        _bring_up_to_date(conn, access, now, seconds, horizon, is_present, holds_pipeline, run_id, is_patient)
    )


async def _bring_up_to_date(
    conn: Connection, access: Access, now: Callable[[], datetime], seconds: float, horizon: datetime | None,
    is_present: bool, holds_pipeline: bool, run_id: str | None, is_patient: bool,
) -> Refreshed:  # fmt: skip
    deadline = Deadline(time.monotonic, seconds)
    async with AsyncExitStack() as stack:
        sources = await open_sources(conn, access, now, stack, PATIENCE_OF_RUN if holds_pipeline else None)
        worker = Worker(
            conn, sources, worker_name(), now, time.monotonic, SystemRandom(),
            holds_pipeline=holds_pipeline, run_id=run_id,
        )  # fmt: skip
        newest = LatestPrices(conn, sources, now, holds_pipeline=holds_pipeline, run_id=run_id)
        tracked = _track(conn, sources, now, horizon)
        # half of the time at most goes into history: what is held now is to have its price of now
        history = [await worker.work(deadline.remaining() / 2, is_patient=is_patient)]
        latest = await newest.refresh(deadline.remaining()) if is_present else Worked()
        for _ in range(_ROUNDS):
            if deadline.remaining() <= 0 or _track(conn, sources, now, horizon).jobs == 0:
                break
            history.append(await worker.work(deadline.remaining(), is_patient=is_patient))
        if len(history) > 1 and is_present:
            more = await newest.refresh(deadline.remaining())
            latest.prices, latest.rows = latest.prices + more.prices, latest.rows + more.rows
            latest.requests += more.requests
        else:
            history.append(await worker.work(deadline.remaining(), is_patient=is_patient))
    return Refreshed(tracked, tuple(history), latest)


def _track(
    conn: Connection, sources: Mapping[str, MarketSource], now: Callable[[], datetime], horizon: datetime | None
) -> TrackingResult:
    with conn.transaction():
        return track(conn, sources, now(), horizon)


async def open_sources(
    conn: Connection,
    access: Access,
    now: Callable[[], datetime],
    stack: AsyncExitStack,
    patience: Patience | None = None,
) -> dict[str, MarketSource]:
    """The sources that may be asked, each with a budget for its host, closed by `stack`."""
    with conn.transaction():
        order = store.read_price_settings(conn).sources
    asking = PatientHosts(Hosts(time.monotonic, rates=RATES), time.monotonic, SystemRandom(), patience)
    built = build_sources(source_names(access.allowed, order), asking, now, access.endpoints or {}, calls=access.calls)
    for source in built.values():
        await stack.enter_async_context(source)
    return built


def wait_for_holdings(conn: Connection, seconds: float) -> bool:
    """Wait until something is held that is not tracked yet, at most so long; whether it came.

    The fall-back is the caller's: whatever was missed is found by the next look at the holdings.
    """
    conn.execute(f"listen {HOLDINGS_CHANNEL}".encode())
    return any(True for _ in conn.notifies(timeout=seconds, stop_after=1))


def worker_name() -> str:
    """A name that no other worker has: machine, process, and a number of its own."""
    return f"{socket.gethostname()}:{os.getpid()}:{token_hex(4)}"
