"""All chains of a run at once, from a list of requests to a list of reports.

Belongs here: what the chains share (session, hosts, what is known of their Multicall3), time per chain, and the entry
for code that has no event loop. Must not be here: one chain (chain_reader.py; bitcoin and solana have readers of their
own), what to ask (planning), SQL, the environment.
"""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from random import Random

from assets.network.budget import Deadline, Hosts
from assets.network.endpoints import Endpoint
from assets.network.hedging import Network
from assets.network.http import Http
from assets.registry.chains import chains
from assets.wallets.block_reader import CALLS_PER_AGGREGATE
from assets.wallets.chain_reader import read_chain
from assets.wallets.model import ChainReport, ChainRequest
from assets.wallets.pinning import Multicall
from assets.wallets.positions.reading import PositionReader

CHAIN_SECONDS = 5.0
#: A chain's time grows by this for each aggregate3 beyond the first: 100,000 cells are 200 of them.
SECONDS_PER_FURTHER_AGGREGATE = 0.5
_CALLS_OF_FACTS = 3
# on Ethereum, where most protocols are; those of the first wallets fit into the time that every chain has
_CALLS_OF_POSITIONS, _WALLETS_IN_TIME = 230, 10

#: Reads a chain of another family; gives a report for whatever fails.
OtherReader = Callable[
    [ChainRequest, Sequence[Endpoint], Network, Deadline, Callable[[], datetime]], Awaitable[ChainReport]
]

# what a chain's code proved to be holds for the life of a process
_known_multicalls: dict[str, Multicall] = {}
_known_refusers: set[str] = set()


def read(
    requests: Sequence[ChainRequest],
    endpoints_of: Mapping[str, Sequence[Endpoint]],
    *,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    max_head_age_seconds: float | None = None,
    chain_seconds: float = CHAIN_SECONDS,
    position_readers: Callable[[str], Sequence[PositionReader]] = lambda slug: (),
    other_readers: Mapping[str, OtherReader] | None = None,
    random: Random | None = None,
) -> list[ChainReport]:
    """Read all chains, for callers without an event loop; where one runs in this thread, another thread is used.

    Args:
        requests: one for each chain.
        endpoints_of: by slug, in order of preference (assets/wallets/endpoints.py); a chain without any fails.
        now: UTC.
        max_head_age_seconds: how old a head may be; None = 20 block times, at least 60 s.
        chain_seconds: time of a chain whose calls fit into one aggregate3; see `chain_budget`.
        position_readers: of a chain by its slug, for its `positions_of`.
        other_readers: by slug, for chains that are no EVM chains.
        random: for jitter; None = seeded by the system.

    Returns:
        Reports in the order of the requests.
    """
    reports: list[ChainReport] = []

    async def work() -> None:
        # nothing is returned: asyncio.run takes the repr of its task's result, 100,000 cells long
        async with Http() as http:
            network = Network(http.send, Hosts(time.monotonic), time.monotonic, random or Random())  # noqa: S311 jitter
            reports[:] = await read_chains(
                requests, endpoints_of, network, now, max_head_age_seconds=max_head_age_seconds,
                chain_seconds=chain_seconds, position_readers=position_readers, other_readers=other_readers,
                multicalls=_known_multicalls, refusers=_known_refusers,
            )  # fmt: skip

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        asyncio.run(work())
    else:
        with ThreadPoolExecutor(1) as threads:
            threads.submit(asyncio.run, work()).result()
    return reports


async def read_chains(
    requests: Sequence[ChainRequest],
    endpoints_of: Mapping[str, Sequence[Endpoint]],
    network: Network,
    now: Callable[[], datetime],
    *,
    max_head_age_seconds: float | None = None,
    chain_seconds: float = CHAIN_SECONDS,
    position_readers: Callable[[str], Sequence[PositionReader]] = lambda slug: (),
    other_readers: Mapping[str, OtherReader] | None = None,
    multicalls: dict[str, Multicall] | None = None,
    refusers: set[str] | None = None,
) -> list[ChainReport]:
    """Read all chains at once over one network, on its event loop; arguments as of `read`.

    Raises:
        KeyError: a request is for a chain that is not known and has no reader of its own.
    """
    loop = asyncio.get_running_loop()
    multicalls, refusers = {} if multicalls is None else multicalls, set() if refusers is None else refusers
    others = other_readers or {}

    async def read_one(request: ChainRequest) -> ChainReport:
        deadline = Deadline(loop.time, chain_budget(request, chain_seconds))
        endpoints = endpoints_of.get(request.chain, ())
        if request.chain in others:
            return await others[request.chain](request, endpoints, network, deadline, now)
        return await read_chain(
            request, chains()[request.chain], endpoints, network, deadline, now, position_readers(request.chain),
            max_head_age_seconds=max_head_age_seconds, question_seconds=chain_seconds, multicalls=multicalls,
            refusers=refusers,
        )  # fmt: skip

    async with asyncio.TaskGroup() as tasks:
        started = [tasks.create_task(read_one(request)) for request in requests]
    return [task.result() for task in started]


def chain_budget(request: ChainRequest, chain_seconds: float = CHAIN_SECONDS) -> float:
    """Seconds that a chain may take: `chain_seconds`, and half a second for each aggregate3 beyond the first.

    A chain that does not answer ends within `chain_seconds` all the same, however much was to be asked of it.
    """
    calls = len(request.cells) + _CALLS_OF_FACTS * len(request.facts_of)
    calls += _CALLS_OF_POSITIONS * max(len(request.positions_of) - _WALLETS_IN_TIME, 0)
    further = max(math.ceil(calls / CALLS_PER_AGGREGATE) - 1, 0)
    return chain_seconds + SECONDS_PER_FURTHER_AGGREGATE * further
