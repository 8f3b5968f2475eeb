"""Bitcoin: confirmed balances of addresses, from an Esplora API.

Belongs here: the questions put to Esplora and what their answers mean. Must not be here: whether an address is one
(assets/registry/addresses.py), which servers there are. Source: Esplora HTTP API,
https://github.com/Blockstream/esplora/blob/master/API.md; mempool.space serves the same paths under /api.

Esplora cannot answer at a block. So the tip is asked before and after the balances, at one server: when it is the same,
that block is the report's, and when it moved all is read again. Two things stay beyond this: a tip that moved away and
back between the two questions, and a public address whose load balancer asks servers of different heights. What is not
confirmed counts for nothing, coming or going.
"""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from assets.network.budget import Deadline
from assets.network.endpoints import Endpoint
from assets.network.errors import Failure, Kind
from assets.network.hedging import Network
from assets.network.http import Request
from assets.registry.addresses import bitcoin_address
from assets.registry.identifiers import Refusal
from assets.registry.other_chains import OtherChain
from assets.wallets.chain_read import ChainRead, cell_of, failed_cells, head_trouble, report
from assets.wallets.model import Asset, Block, Cell, ChainReport, ChainRequest, Status
from assets.wallets.model import Kind as AssetKind

#: 21 million coins of 100 million satoshi: no address holds more.
MAX_SATOSHI = 21_000_000 * 100_000_000
_HASH = re.compile(r"[0-9a-f]{64}")
_ROUNDS = 4
_TIP = Request(path="/blocks/tip/hash", is_text=True)


@dataclass(frozen=True, slots=True)
class _Reading:
    """One reading between two equal tips; balances by address, a failure where an address gave none."""

    endpoint: Endpoint
    block: Block
    balances: Mapping[str, int | Failure]
    is_reorganised: bool

    @property
    def unread(self) -> int:
        return sum(isinstance(balance, Failure) for balance in self.balances.values())


async def read_chain(
    request: ChainRequest,
    chain: OtherChain,
    endpoints: Sequence[Endpoint],
    network: Network,
    deadline: Deadline,
    now: Callable[[], datetime],
    *,
    max_head_age_seconds: float | None = None,
) -> ChainReport:
    """Read all cells of Bitcoin between two equal tips.

    The first server that tells a tip is read to the end; another one is asked when it fails on the way, is of another
    chain or behind, or leaves addresses unread.

    Args:
        request: cells of kind `native`; any other kind is unsupported, as an address that is none.
        chain: Bitcoin.
        endpoints: in the order of preference; addresses end in `/api` or what stands for it.
        network: asks.
        deadline: of the whole read.
        now: the wall clock.
        max_head_age_seconds: how old the tip may be; None: 20 block times. Blocks are minutes apart: do not go lower.
    """
    loop = asyncio.get_running_loop()
    started_at, asked_at = loop.time(), now()
    asking = ChainRead(network, deadline)
    addresses = list(dict.fromkeys(wallet for wallet, asset in request.cells if _refusal(wallet, asset) is None))
    left, best, failure = list(endpoints), None, Failure.of(Kind.PERMANENT, "no endpoint was given")
    while left:
        tip = await asking.put(left, _TIP, _hash_of)
        if isinstance(tip, Failure):
            failure = tip if len(left) == len(endpoints) else failure  # what a server said of itself tells more
            break
        left.remove(tip.endpoint)
        # one that hangs now must leave time for the next
        part = asking.within(deadline.remaining() / (2 if left else 1))
        reading = await _read_at(part, tip.endpoint, tip.value, addresses, request, chain, now, max_head_age_seconds)
        if isinstance(reading, Failure):
            failure = reading
        elif best is None or reading.unread < best.unread:
            best = reading
        if best is not None and not best.unread:
            break
    if best is None:
        cells = failed_cells(request, failure.message)
        return report(request, asking, asked_at, started_at, None, None, cells, failure=failure)
    cells = tuple(_cell(wallet, asset, best.balances) for wallet, asset in request.cells)
    problems = [f"{best.unread} of {len(addresses)} addresses were not read"] if best.unread else []
    return report(
        request, asking, asked_at, started_at, best.block, best.endpoint, cells,
        is_reorganised=best.is_reorganised, problems=problems,
    )  # fmt: skip


async def _read_at(
    asking: ChainRead,
    endpoint: Endpoint,
    tip: str,
    addresses: Sequence[str],
    request: ChainRequest,
    chain: OtherChain,
    now: Callable[[], datetime],
    max_head_age_seconds: float | None,
) -> _Reading | Failure:
    """Balances of all addresses at one server, again until the tip stands still."""
    for _ in range(_ROUNDS):
        head = asyncio.create_task(_head(asking, endpoint, tip, request, chain))
        balances = await asyncio.gather(*(_balance(asking, endpoint, address) for address in addresses))
        told = await head
        if isinstance(told, Failure):
            return told
        block, is_reorganised = told
        trouble = head_trouble(chain, block.timestamp, now(), max_head_age_seconds)
        if trouble is not None:
            return trouble
        failures = [balance for balance in balances if isinstance(balance, Failure)]
        if failures and len(failures) == len(balances):
            return failures[0]
        after = await asking.put([endpoint], _TIP, _hash_of)
        if isinstance(after, Failure):
            return after
        if after.value == tip:
            return _Reading(endpoint, block, dict(zip(addresses, balances, strict=True)), is_reorganised)
        tip = after.value
    return Failure.of(Kind.NODE_LAG, f"its tip moved during each of {_ROUNDS} readings")


async def _head(
    asking: ChainRead, endpoint: Endpoint, tip: str, request: ChainRequest, chain: OtherChain
) -> tuple[Block, bool] | Failure:
    """The tip's block, and whether the block expected is no longer below it; a server of another chain is refused."""

    def block_of(value: object) -> Block:
        told = _mapping(value)
        if told["id"] != tip:
            raise ValueError("another block")
        timestamp = datetime.fromtimestamp(_number(told["timestamp"], 1 << 32), UTC)
        return Block(_number(told["height"], 1 << 32), tip, timestamp)

    def genesis_of(value: object) -> str | Failure:
        told = _hash_of(value)
        return told if told == chain.genesis_hash else Failure.of(Kind.WRONG_CHAIN, "its first block is another")

    block, genesis = await asyncio.gather(
        asking.put([endpoint], Request(path=f"/block/{tip}"), block_of),
        asking.put([endpoint], _hash_at(0), genesis_of),
    )
    if isinstance(genesis, Failure):
        return genesis
    if isinstance(block, Failure):
        return block
    expected = request.expected
    if expected is None:
        return block.value, False
    if block.value.number < expected.number:
        return Failure.of(Kind.NODE_LAG, f"its tip is block {block.value.number}, below {expected.number}")
    standing = await asking.put([endpoint], _hash_at(expected.number), _hash_of)
    return standing if isinstance(standing, Failure) else (block.value, standing.value != expected.hash)


async def _balance(asking: ChainRead, endpoint: Endpoint, address: str) -> int | Failure:
    """Confirmed satoshi of an address; one that was never used has zero, and Esplora says so."""

    def balance_of(value: object) -> int:
        told = _mapping(value)
        if told["address"] != address:
            raise ValueError("another address")
        confirmed = _mapping(told["chain_stats"])
        # what went in and out again and again may add up to more than all coins
        balance = _number(confirmed["funded_txo_sum"], 1 << 127) - _number(confirmed["spent_txo_sum"], 1 << 127)
        return _number(balance, MAX_SATOSHI)

    told = await asking.put([endpoint], Request(path=f"/address/{address}"), balance_of)
    return told if isinstance(told, Failure) else told.value


def _cell(wallet: str, asset: Asset, balances: Mapping[str, int | Failure]) -> Cell:
    refusal = _refusal(wallet, asset)
    if refusal is not None:
        return Cell(wallet, asset, Status.UNSUPPORTED, None, refusal)
    balance = balances[wallet]
    if isinstance(balance, Failure):
        return Cell(wallet, asset, Status.FAILED, None, balance.message)
    return cell_of(wallet, asset, balance)


def _refusal(wallet: str, asset: Asset) -> str | None:
    if asset.kind is not AssetKind.NATIVE:
        return "of Bitcoin only its coin is read"
    try:
        return None if bitcoin_address(wallet) == wallet else "not the usual spelling of this address"
    except Refusal as refusal:
        return f"expected {refusal.expected}"


def _hash_at(height: int) -> Request:
    return Request(path=f"/block-height/{height}", is_text=True)


def _hash_of(value: object) -> str:
    if not isinstance(value, str) or not _HASH.fullmatch(value):
        raise ValueError("no hash of a block")
    return value


def _mapping(value: object) -> Mapping[str, object]:
    if not isinstance(value, Mapping):
        raise TypeError("no object")
    return value


def _number(value: object, most: int) -> int:
    if type(value) is not int or not 0 <= value <= most:
        raise ValueError("no number in its bounds")
    return value
