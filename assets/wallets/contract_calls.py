"""Calls of contracts that are no wallet's, read as balances are: for prices that stand on a chain.

Belongs here: one pinned block for each chain and the calls at it, for callers without an event loop. Must not be here:
what a returned word means, whose contract it is (assets/market/sources/chainlink.py).
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from random import Random

from assets.network.budget import Deadline, Hosts
from assets.network.endpoints import Endpoint
from assets.network.errors import Failure, Kind
from assets.network.hedging import Network
from assets.network.http import Http
from assets.registry.chains import chains
from assets.wallets.block_reader import BlockReader, Found
from assets.wallets.codec import Call
from assets.wallets.engine import CHAIN_SECONDS
from assets.wallets.pinning import head_age_limit, pin_block
from assets.wallets.rpc import Rpc


def read_contracts(
    calls: Mapping[str, Sequence[Call]],
    endpoints_of: Mapping[str, Sequence[Endpoint]],
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    max_head_age_seconds: float | None = None,
    random: Random | None = None,
) -> dict[str, list[bytes | Failure]]:
    """Read contracts of EVM chains, all chains at once and each within the time of a chain's balances.

    Args:
        calls: by slug.
        endpoints_of: by slug, in order of preference; a chain without any fails.
        now: UTC, for the head's age.
        max_head_age_seconds: how old a head may be; None = 20 block times, at least 60 s.
        random: for jitter; None = seeded by the system.

    Returns:
        By slug, in the order of the calls: what was returned, all of it at one block, or why there is nothing.
    """

    async def work() -> list[list[bytes | Failure]]:
        async with Http() as http:
            network = Network(http.send, Hosts(time.monotonic), time.monotonic, random or Random())  # noqa: S311 jitter
            return await asyncio.gather(
                *(
                    _read_chain(slug, asked, endpoints_of.get(slug, ()), network, now, max_head_age_seconds)
                    for slug, asked in calls.items()
                )
            )

    return dict(zip(calls, asyncio.run(work()), strict=True))


async def _read_chain(
    slug: str,
    calls: Sequence[Call],
    endpoints: Sequence[Endpoint],
    network: Network,
    now: Callable[[], datetime],
    max_head_age_seconds: float | None,
) -> list[bytes | Failure]:
    chain, rpc = chains()[slug], Rpc(network)
    deadline = Deadline(asyncio.get_running_loop().time, CHAIN_SECONDS)
    age_limit = head_age_limit(chain, max_head_age_seconds)
    pin = await pin_block(rpc, chain, endpoints, deadline, now, age_limit, None, {})
    if isinstance(pin, Failure):
        return [pin for _ in calls]
    found = await BlockReader(rpc, chain, pin, deadline, CHAIN_SECONDS).read(calls)
    return [_returned(one) for one in found]


def _returned(found: Found) -> bytes | Failure:
    if isinstance(found, Failure):
        return found
    return Failure.of(Kind.CALL_FAILED) if found.returned is None else found.returned
