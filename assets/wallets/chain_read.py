"""What readers of one chain that is not EVM do alike: ask and keep the tries, judge a head, make the report.

Belongs here: helpers of bitcoin.py and solana.py without any of their formats. Must not be here: what is asked.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from assets.network.budget import Deadline
from assets.network.endpoints import Endpoint
from assets.network.errors import Failure, Kind
from assets.network.hedging import Network, Try
from assets.network.http import Request
from assets.registry.other_chains import OtherChain
from assets.wallets.model import Asset, Block, Cell, ChainReport, ChainRequest, Status, TokenFacts

T = TypeVar("T")
_BLOCKS_OF_AGE, _LEAST_AGE_SECONDS = 20, 60.0
# a head this far ahead of our clock is no head. Bitcoin's rule lets a block's time be two hours ahead of its network's
_MOST_AHEAD = timedelta(hours=2, minutes=10)


@dataclass(frozen=True, slots=True)
class Told(Generic[T]):
    """A value and the server that told it."""

    value: T
    endpoint: Endpoint


@dataclass(slots=True)
class ChainRead:
    """One read of a chain; `tries` are those of all its questions, in the order they ended."""

    network: Network
    deadline: Deadline
    tries: list[Try] = field(default_factory=list)

    async def put(
        self, endpoints: Sequence[Endpoint], request: Request, read: Callable[[object], T | Failure]
    ) -> Told[T] | Failure:
        """Ask one question within the read's time."""
        answer = await self.network.ask(endpoints, request, self.deadline, read)
        self.tries += answer.tries
        if answer.failure is not None or answer.endpoint is None:
            return answer.failure or Failure.of(Kind.TIMEOUT)
        return Told(answer.value, answer.endpoint)  # type: ignore[arg-type]

    def within(self, seconds: float) -> "ChainRead":
        """The same read with less time, never more than it has; tries are kept together."""
        # the event loop's clock is the network's (hedging.py)
        limit = min(seconds, self.deadline.remaining())
        return ChainRead(self.network, Deadline(asyncio.get_running_loop().time, limit), self.tries)


def head_trouble(
    chain: OtherChain, timestamp: datetime, now: datetime, max_age_seconds: float | None
) -> Failure | None:
    """Why a head of this time is none: too old, or ahead of us; None when it is good.

    Args:
        chain: whose head it is.
        timestamp: of the head.
        now: by our clock.
        max_age_seconds: as set; None: 20 block times, at least 60 s.
    """
    usual = max(_LEAST_AGE_SECONDS, _BLOCKS_OF_AGE * chain.block_time_ms / 1000)
    limit = timedelta(seconds=usual if max_age_seconds is None else max_age_seconds)
    if now - timestamp > limit:
        age = int((now - timestamp).total_seconds())
        return Failure.of(Kind.NODE_LAG, f"its head is {age} s old, more than {int(limit.total_seconds())} s")
    if timestamp - now > _MOST_AHEAD:
        return Failure.of(Kind.MALFORMED, "its head is hours ahead of our clock")
    return None


def failed_cells(request: ChainRequest, reason: str) -> tuple[Cell, ...]:
    """Every cell as not read."""
    return tuple(Cell(wallet, asset, Status.FAILED, None, reason) for wallet, asset in request.cells)


def cell_of(wallet: str, asset: Asset, amount: int) -> Cell:
    """A cell that was read."""
    return Cell(wallet, asset, Status.OK if amount else Status.ZERO, amount)


def report(
    request: ChainRequest,
    asking: ChainRead,
    asked_at: datetime,
    started_at: float,
    block: Block | None,
    endpoint: Endpoint | None,
    cells: Sequence[Cell],
    *,
    facts: Sequence[TokenFacts] = (),
    found: Sequence[Cell] = (),
    is_reorganised: bool = False,
    failure: Failure | None = None,
    problems: Sequence[str] = (),
) -> ChainReport:
    """The report of a read that began at `started_at` of the event loop's clock."""
    return ChainReport(
        chain=request.chain,
        block=block,
        endpoint=None if endpoint is None else endpoint.label,
        tries=tuple(asking.tries),
        asked_at=asked_at,
        seconds=asyncio.get_running_loop().time() - started_at,
        cells=tuple(cells),
        facts=tuple(facts),
        is_reorganised=is_reorganised,
        failure=None if failure is None else f"{failure.kind.value}: {failure.message}",
        problems=tuple(problems),
        found=tuple(found),
    )
