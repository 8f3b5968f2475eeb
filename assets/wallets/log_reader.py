"""Logs of all chains of a run at once: transfers and fees of wallets, each chain up to the block of its balances.

Belongs here: which blocks of which wallets are asked, what of the earlier ones is gone, and time. Must not be here: one
question (transfers.py, gas.py, reorganisation.py), SQL (log_store.py).

Every answer comes from a server that has the pinned block, so that no two forks meet; what the balances were read at is
what the logs lead to. A chain whose servers give no logs keeps its balances and says why; it is asked again from where
it ended.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from assets.network.budget import Deadline, Hosts
from assets.network.endpoints import Endpoint
from assets.network.errors import Failure, Kind
from assets.network.hedging import Network
from assets.network.http import Http
from assets.registry.chains import chains
from assets.wallets.chain_questions import AskChain, ask_servers, lagging
from assets.wallets.gas import Fees, read_fees
from assets.wallets.model import Block
from assets.wallets.pinning import header_call, header_of, quantity_of
from assets.wallets.reorganisation import gone, read_standing
from assets.wallets.rpc import Rpc, RpcCall
from assets.wallets.transfers import WALLETS_PER_FILTER, Transfer, read_transfers

T = TypeVar("T")

#: Of each chain, all chains at once; what is left is read the next time.
LOG_SECONDS = 5.0
#: So far back a block is looked at again; where none of those stands, all of them are read again.
REORGANISATION_BLOCKS = 256


@dataclass(frozen=True, slots=True)
class LogRequest:
    """What to read of one chain.

    Attributes:
        block: up to which; that of the balances.
        read_until: by wallet, the last block that is known already.
        kept: number and hash of blocks of which something is kept, not older than `REORGANISATION_BLOCKS`.
    """

    chain: str
    block: Block
    read_until: Mapping[str, int]
    kept: Sequence[tuple[int, str]] = ()


@dataclass(frozen=True, slots=True)
class LogRange:
    """Blocks that were read of some wallets.

    Attributes:
        until: the last block before which nothing is missing; `first - 1` when nothing was read.
        transfers, fees: of blocks up to `until`.
        failure: why it is not `last`.
    """

    wallets: tuple[str, ...]
    first: int
    last: int
    until: int
    transfers: tuple[Transfer, ...]
    fees: Fees
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class LogReport:
    """What one chain told.

    Attributes:
        gone: of the blocks that were kept, those that are no longer on the chain.
    """

    request: LogRequest
    ranges: tuple[LogRange, ...]
    gone: tuple[tuple[int, str], ...] = ()

    @property
    def failure(self) -> str | None:
        """Why not all was read."""
        return next((one.failure for one in self.ranges if one.failure), None)


def read_logs(
    requests: Sequence[LogRequest],
    endpoints_of: Mapping[str, Sequence[Endpoint]],
    *,
    chain_seconds: float = LOG_SECONDS,
    random: Random | None = None,
) -> list[LogReport]:
    """Read the logs of all chains, for callers without an event loop; never raises for a server's fault.

    Args:
        requests: one for each EVM chain.
        endpoints_of: by slug, in order of preference.
        chain_seconds: how long each may take.
        random: for jitter; None = seeded by the system.
    """

    async def work() -> list[LogReport]:
        async with Http() as http:
            network = Network(http.send, Hosts(time.monotonic), time.monotonic, random or Random())  # noqa: S311 jitter
            return await asyncio.gather(
                *(_read_chain(one, endpoints_of.get(one.chain, ()), network, chain_seconds) for one in requests)
            )

    return asyncio.run(work()) if requests else []


async def _read_chain(
    request: LogRequest, endpoints: Sequence[Endpoint], network: Network, seconds: float
) -> LogReport:
    deadline = Deadline(asyncio.get_running_loop().time, seconds)
    ask = _at_block(ask_servers(Rpc(network), endpoints, deadline), request)
    standing = await read_standing(ask, [number for number, _ in request.kept])
    lost = gone(request.kept, standing)
    starts: dict[int, list[str]] = {}
    for wallet, until in request.read_until.items():
        last_good = min(until, _last_before(lost, standing)) if lost else until
        starts.setdefault(last_good + 1, []).append(wallet)
    # the wallets whose logs end first are asked first, so that none waits for ever where time is too short for all
    ranges = [
        await _read_range(ask, request, tuple(wallets[start : start + WALLETS_PER_FILTER]), first)
        for first, wallets in sorted(starts.items())
        if first <= request.block.number
        for start in range(0, len(wallets), WALLETS_PER_FILTER)
    ]
    return LogReport(request, tuple(ranges), tuple(lost))


def _last_before(lost: Sequence[tuple[int, str]], standing: Mapping[int, str]) -> int:
    """The last block known to stand before the first that is gone: what stands stands on all before it."""
    first = min(number for number, _ in lost)
    return max((number for number in standing if number < first), default=max(first - REORGANISATION_BLOCKS, 0))


async def _read_range(ask: AskChain, request: LogRequest, wallets: tuple[str, ...], first: int) -> LogRange:
    found = await read_transfers(ask, request.chain, wallets, first, request.block.number)
    fees = await read_fees(ask, found.transfers, request.read_until)
    without_receipt = [one.block_number for one in found.transfers if one.transaction in fees.unread]
    until = min([found.read_until, *(number - 1 for number in without_receipt)])
    failure = next((part.failure.message for part in found.unread), None)
    if failure is None and without_receipt:
        failure = next(fees.unknown[transaction] for transaction in sorted(fees.unread))
    transfers = tuple(one for one in found.transfers if one.block_number <= until)
    return LogRange(wallets, first, request.block.number, until, transfers, fees, failure)


def _at_block(ask: AskChain, request: LogRequest) -> AskChain:
    """The same questions, answered only by a server of the chain that has the pinned block."""
    evm_id, block = chains()[request.chain].evm_id, request.block
    proofs = (RpcCall("eth_chainId"), header_call(block.number))

    async def ask_at_block(calls: Sequence[RpcCall], read: Callable[[list[object]], T | Failure]) -> T | Failure:
        def read_proven(results: list[object]) -> T | Failure:
            *told, chain_id, header = results
            if quantity_of(chain_id) != evm_id:
                return Failure.of(Kind.WRONG_CHAIN, f"it serves chain {quantity_of(chain_id)}, not {evm_id}")
            head = header_of(header)
            if head is None or head.hash != block.hash.lower():
                return lagging(f"it does not have the block {block.number} of the balances")
            return read(told)

        return await ask([*calls, *proofs], read_proven)

    return ask_at_block
