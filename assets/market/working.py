"""What the worker of the queue and the round of latest prices share: the count, the transaction, the word for a defect.

Belongs here: writing between runs. Must not be here: what is written, requests.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from assets.market.jobs import may_land
from assets.market.model import FetchReport, Outcome, Window
from assets.network.errors import Failure, Kind
from assets.warehouse.database import Connection

T = TypeVar("T")

WAIT_SECONDS = 1.0


@dataclass(slots=True)
class Worked:
    """What a stretch of work did."""

    pages: int = 0
    rows: int = 0
    requests: int = 0
    done: int = 0
    failed: int = 0
    lost: int = 0
    prices: int = 0

    def __str__(self) -> str:
        return (
            f"{self.pages} pages, {self.rows:,} new or corrected rows, {self.requests} requests; {self.done} jobs done,"
            f" {self.failed} failed; {self.prices} latest prices"
        )


async def write_between_runs(
    conn: Connection,
    write: Callable[[], T],
    *,
    holds_pipeline: bool,
    meanwhile: Callable[[], None] | None = None,
) -> T:
    """Write in a transaction in which no run writes.

    Args:
        conn: in autocommit.
        write: what is written.
        holds_pipeline: the caller's run alone writes: nothing is waited for.
        meanwhile: called in a transaction of its own, each second that a run is waited for.
    """
    while True:
        with conn.transaction():
            if holds_pipeline or may_land(conn):
                return write()
            if meanwhile is not None:
                meanwhile()
        await asyncio.sleep(WAIT_SECONDS)


def defect(source: str, instrument: str | None, asked: str, window: Window | None, error: Exception) -> FetchReport:
    """A fault of our own or of a library: told like a provider's, so that one source never stops the others."""
    failure = Failure.of(Kind.PERMANENT, f"a defect ({type(error).__name__})")
    return FetchReport(source, instrument, asked, window, 1, Outcome.FAILED, failure=failure)
