"""One block of a chain, from a server that can be trusted with it.

Belongs here: chain id, head, its age, Multicall3's code, whether the last block that counted still stands. Must not be
here: balances, reading at the block (block_reader.py).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from assets.network.budget import Deadline
from assets.network.endpoints import Endpoint
from assets.network.errors import Failure, Kind
from assets.registry.chains import Chain
from assets.wallets.codec import decode_hex
from assets.wallets.model import Block
from assets.wallets.reference import MULTICALL3_CODE_HASH, multicall3_addresses
from assets.wallets.rpc import Rpc, RpcCall

#: Where mds1 put Multicall3 by a transaction signed for all chains; other code there is somebody else's.
CANONICAL_MULTICALL3 = "0xcA11bde05977b3631167028862bE2a173976CA11"
#: ArbSys of Arbitrum's chains: the only ones with code at this address (nitro puts 0xfe there). Elsewhere it is
#: nothing or, on BNB Chain, a precompiled contract that takes all gas of a call that it does not understand.
ARB_SYS = "0x0000000000000000000000000000000000000064"
_BLOCKS_OF_AGE, _LEAST_AGE_SECONDS = 20, 60.0
# 339 of 397 mainnets publish no block time; the slowest that does has 12 s
_UNKNOWN_BLOCK_SECONDS = 15.0
_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}")
# a head this far ahead of our clock is no head; clocks differ by seconds
_MOST_AHEAD = timedelta(hours=1)
_END_OF_TIME = 253_402_300_800  # the year 10000, beyond any date


@dataclass(frozen=True, slots=True)
class Multicall:
    """Multicall3 of a chain.

    Attributes:
        is_proven: its code is the known one, or what it answered was true.
        has_arb_sys: a chain of Arbitrum's kind: `block.number` is the parent chain's, ArbSys tells its own.
    """

    address: str
    is_proven: bool
    has_arb_sys: bool = False


@dataclass(frozen=True, slots=True)
class Pin:
    """What everything else is read at.

    Attributes:
        endpoints: all of the chain, the one that pinned the block first.
        multicall: None where there is none that may be asked.
        is_reorganised: the block expected is no longer on the chain.
    """

    block: Block
    endpoints: tuple[Endpoint, ...]
    multicall: Multicall | None
    is_reorganised: bool


@dataclass(frozen=True, slots=True)
class Head:
    """A block as a server tells it; `header_of` makes it."""

    number: int
    hash: str
    timestamp: int

    def as_block(self) -> Block:
        """The same with a time."""
        return Block(self.number, self.hash, datetime.fromtimestamp(self.timestamp, UTC))


def head_age_limit(chain: Chain, max_head_age_seconds: float | None) -> timedelta:
    """How old a head may be: as set, else 20 block times, at least 60 s; 15 s stand for an unknown block time."""
    if max_head_age_seconds is not None:
        return timedelta(seconds=max_head_age_seconds)
    block_seconds = _UNKNOWN_BLOCK_SECONDS if chain.block_time_ms is None else chain.block_time_ms / 1000
    return timedelta(seconds=max(_LEAST_AGE_SECONDS, _BLOCKS_OF_AGE * block_seconds))


async def pin_block(
    rpc: Rpc,
    chain: Chain,
    endpoints: Sequence[Endpoint],
    deadline: Deadline,
    now: Callable[[], datetime],
    age_limit: timedelta,
    expected: Block | None,
    multicalls: Mapping[str, Multicall],
) -> Pin | Failure:
    """Ask for chain id, head and Multicall3's code at once; a server that is wrong or behind is passed over.

    A server whose head is below the block expected is behind; when none has it and their heads are young, the chain
    itself went back (a local one that was started anew), and their word counts.

    Args:
        rpc: of this chain.
        chain: its registry entry.
        endpoints: in order of preference.
        deadline: of this question.
        now: UTC.
        age_limit: of the head.
        expected: the last block that counted, None for the first read.
        multicalls: by slug, what earlier reads proved; its code is not asked again.
    """
    listed = () if chain.slug in multicalls else multicall3_addresses(chain.slug)
    addresses = (*listed, ARB_SYS) if listed else ()
    calls = [RpcCall("eth_chainId"), RpcCall("eth_getBlockByNumber", ("latest", False))]
    calls += [RpcCall("eth_getCode", (address, "latest")) for address in addresses]
    if expected is not None:
        calls.append(header_call(expected.number))
    was_behind = False

    def read(results: list[object]) -> tuple[Head, Multicall | None, bool] | Failure:
        nonlocal was_behind
        told_id, told_head, *rest = results
        for result in (told_id, told_head):
            if isinstance(result, Failure):
                return result
        if (found_id := quantity_of(told_id)) != chain.evm_id:
            return Failure.of(Kind.WRONG_CHAIN, f"it serves chain {found_id}, not {chain.evm_id}")
        head = header_of(told_head)
        if head is None:
            return Failure.of(Kind.NODE_LAG, "it has no head")
        age = now() - head.as_block().timestamp
        if age > age_limit:
            seconds, limit = int(age.total_seconds()), int(age_limit.total_seconds())
            return Failure.of(Kind.NODE_LAG, f"its head {head.number} is {seconds} s old, at most {limit} s may be")
        if age < -_MOST_AHEAD:
            return Failure.of(Kind.MALFORMED, f"its head {head.number} is from the future")
        if expected is not None and head.number < expected.number and is_strict:
            was_behind = True
            return Failure.of(Kind.NODE_LAG, f"its head {head.number} is below block {expected.number}, read before")
        codes = rest[: len(addresses)]
        multicall = multicalls.get(chain.slug) or choose_multicall(dict(zip(addresses, codes, strict=True)))
        return head, multicall, expected is not None and _is_gone(expected, rest[-1])

    is_strict = True
    answer = await rpc.ask(endpoints, calls, deadline, read)
    if answer.value is None and was_behind:
        is_strict = False
        answer = await rpc.ask(endpoints, calls, deadline, read)
    if answer.value is None or answer.endpoint is None:
        return answer.failure or Failure.of(Kind.TIMEOUT)
    head, multicall, is_reorganised = answer.value
    ordered = in_order([answer.endpoint, *(one for one in endpoints if one != answer.endpoint)])
    return Pin(head.as_block(), ordered, multicall, is_reorganised)


def header_call(number: int) -> RpcCall:
    """Ask for the header of a block."""
    return RpcCall("eth_getBlockByNumber", (hex(number), False))


def header_of(result: object) -> Head | None:
    """Read a header; None where the server has no such block.

    Raises:
        TypeError, ValueError, KeyError: it is none.
    """
    if result is None:
        return None
    if not isinstance(result, Mapping):
        raise TypeError("a header is an object")
    found = result["hash"]
    if len(decode_hex(found)) != 32:
        raise ValueError("a block's hash has 32 bytes")
    timestamp = quantity_of(result["timestamp"])
    if timestamp >= _END_OF_TIME:
        raise ValueError("a block's timestamp is seconds")
    return Head(quantity_of(result["number"]), found.lower(), timestamp)


def quantity_of(result: object) -> int:
    """A JSON-RPC quantity: 0x and hexadecimal digits, at most 256 bits.

    Raises:
        TypeError, ValueError: it is none.
    """
    if not isinstance(result, str):
        raise TypeError("a quantity is text")
    if not _QUANTITY.fullmatch(result):
        raise ValueError("a quantity is 0x and 1 to 64 digits")
    return int(result, 16)


def choose_multicall(codes: Mapping[str, object]) -> Multicall | None:
    """The address whose code is the known one; else one whose code may be another compiler's; else none.

    Args:
        codes: what eth_getCode said of each listed address, best first, and of ARB_SYS.
    """
    found = {address: code for address, code in codes.items() if isinstance(code, str) and len(code) > 2}
    has_arb_sys = found.pop(ARB_SYS, None) is not None
    for address, code in found.items():
        if _code_hash(code) == MULTICALL3_CODE_HASH:
            return Multicall(address, True, has_arb_sys)
    others = [address for address in found if address != CANONICAL_MULTICALL3]
    return Multicall(others[0], False, has_arb_sys) if others else None


@lru_cache(maxsize=8)  # the same code stands on hundreds of chains
def _code_hash(code: str) -> str:
    from eth_hash.auto import keccak

    return f"0x{keccak(decode_hex(code)).hex()}"


def _is_gone(expected: Block, told: object) -> bool:
    """Whether another block stands where the expected one was; what the server cannot tell is no."""
    if isinstance(told, Failure):
        return False
    header = header_of(told)
    return header is not None and header.number == expected.number and header.hash != expected.hash.lower()


def in_order(endpoints: Sequence[Endpoint]) -> tuple[Endpoint, ...]:
    """The same servers, ranked as they stand here: they are asked by their rank."""
    return tuple(replace(endpoint, rank=rank) for rank, endpoint in enumerate(endpoints))
