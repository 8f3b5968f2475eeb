"""A chain at its pinned block: any number of calls, each answered at exactly that block or not at all.

Belongs here: Multicall3 with its self-checks, JSON-RPC calls one by one where it fails or there is none, splitting,
proof that every answer is of the block. Must not be here: which block (pinning.py), what an answer means for a balance.

How a call is answered:
1. Up to CALLS_PER_AGGREGATE calls go into one aggregate3, after calls of Multicall3 itself that tell chain id, block
   number and timestamp; the block's header is asked in the same batch, after it. What does not fit the pinned block is
   this server's failure, and the next one is asked: so answers of two forks never meet.
2. When the node refuses the whole (one token burns all gas, or returns 2 MB), it is split in four until
   CALLS_PER_BATCH are left; those are asked one by one, each with its own gas, in one JSON-RPC batch. So is every call
   that reverted inside a multicall, because another call may have taken its gas.
3. What fails there as well has failed by itself: the batch holds a call that cannot fail, and a server that fails that
   one too has proved nothing.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from assets.network.budget import Deadline
from assets.network.endpoints import Endpoint
from assets.network.errors import Failure, Kind
from assets.network.hedging import Answer
from assets.registry.chains import Chain
from assets.wallets import codec
from assets.wallets.codec import Call, Outcome
from assets.wallets.model import Block
from assets.wallets.pinning import (
    ARB_SYS,
    CANONICAL_MULTICALL3,
    Multicall,
    Pin,
    header_call,
    header_of,
    in_order,
    quantity_of,
)
from assets.wallets.rpc import Rpc, RpcCall

T = TypeVar("T")

CALLS_PER_AGGREGATE = 500
CALLS_PER_BATCH = 50
#: Questions of one chain under way at once.
QUESTIONS_AT_ONCE = 4

_ARB_BLOCK_NUMBER = bytes.fromhex("a3b1b31d")  # arbBlockNumber() of ArbSys
# the precompiled contract that returns what it is given: a call that cannot fail (Yellow Paper, appendix E)
_IDENTITY = "0x0000000000000000000000000000000000000004"
_ROUNDS_ONE_BY_ONE = 3
_PARTS = 4
# what every multicall says of itself, in this order; on Arbitrum's chains a second block number follows
_CHECKS = (codec.GET_CHAIN_ID, codec.GET_CURRENT_BLOCK_TIMESTAMP, codec.GET_BLOCK_NUMBER)
# the node refused what it was asked, rather than being in trouble
_REFUSED = (Kind.CALL_FAILED, Kind.TOO_BIG)


@dataclass(frozen=True, slots=True)
class NativeBalance:
    """The native coin of a wallet, where a Call may stand: there is no contract that has it everywhere."""

    wallet: str


Question = Call | NativeBalance
Found = Outcome | Failure


@dataclass(frozen=True, slots=True)
class _Refused:
    """A multicall that the node did not run, which it may do with fewer calls; without a failure: it is none."""

    failure: Failure | None


class BlockReader:
    """Implements PinnedChain; `read` tells also why a call has no answer.

    Args:
        rpc: of this chain.
        chain: its registry entry.
        pin: the block and the servers' order.
        deadline: of everything.
        question_seconds: no single question is waited for longer: a dead chain must not take the time of a large one.

    Attributes:
        ended_by: why nothing is asked any more; None while servers answer.
        is_gone: no server has the pinned block any more; nothing that was read may be used.
        questions: how many were put.
        held_back_seconds: of the deadline, for what is asked later.
    """

    def __init__(self, rpc: Rpc, chain: Chain, pin: Pin, deadline: Deadline, question_seconds: float) -> None:
        self._rpc, self._chain, self._deadline, self._question_seconds = rpc, chain, deadline, question_seconds
        self._block, self._endpoints, self._multicall = pin.block, pin.endpoints, pin.multicall
        self._at = hex(pin.block.number)
        self._slots = asyncio.Semaphore(QUESTIONS_AT_ONCE)
        self.ended_by: Failure | None = None
        self.is_gone = self._is_contradicted = False
        self.questions = 0
        self.held_back_seconds = 0.0

    @property
    def chain(self) -> str:
        """Slug."""
        return self._chain.slug

    @property
    def block(self) -> Block:
        """Everything is read at it."""
        return self._block

    @property
    def multicall(self) -> Multicall | None:
        """The Multicall3 in use; proven once it answered truly."""
        return self._multicall

    async def call(self, calls: Sequence[Call]) -> list[Outcome | None]:
        """Outcomes in the order of the calls; None = not answered."""
        return [found if isinstance(found, Outcome) else None for found in await self.read(calls)]

    async def read(self, questions: Sequence[Question]) -> list[Found]:
        """Outcomes in the order of the questions, or why a server gave none."""
        found: list[Found | None] = [None] * len(questions)
        size = CALLS_PER_BATCH if self._multicall is None else CALLS_PER_AGGREGATE
        starts = range(0, len(questions), size)
        chunks = [list(range(start, min(start + size, len(questions)))) for start in starts]
        if self._multicall is not None and not self._multicall.is_proven and len(chunks) > 1:
            # one proves it before many rely on it
            await self._read_chunk(questions, chunks.pop(0), found)
        await asyncio.gather(*(self._read_chunk(questions, chunk, found) for chunk in chunks))
        return [Failure.of(Kind.TIMEOUT) if one is None else one for one in found]

    async def is_still_there(self) -> bool | Failure:
        """Whether the pinned block is still on the chain, as a server tells it now."""

        def read(results: list[object]) -> bool | Failure:
            if isinstance(results[0], Failure):
                return results[0]
            header = header_of(results[0])
            return header is not None and header.hash == self._block.hash

        answer = await self._ask([header_call(self._block.number)], read)
        if answer.failure is not None:
            return answer.failure
        self.is_gone = self.is_gone or not answer.value
        return not self.is_gone

    async def _read_chunk(self, questions: Sequence[Question], indices: list[int], found: list[Found | None]) -> None:
        is_first_time = self._multicall is None
        alone = indices if is_first_time else await self._together(questions, indices, found)
        starts = range(0, len(alone), CALLS_PER_BATCH)
        parts = [alone[start : start + CALLS_PER_BATCH] for start in starts]
        refused = await asyncio.gather(*(self._one_by_one(questions, part, found) for part in parts))
        if is_first_time:
            await asyncio.gather(*(self._one_by_one(questions, part, found) for part in refused if part))

    # -- through Multicall3

    async def _together(
        self, questions: Sequence[Question], indices: list[int], found: list[Found | None]
    ) -> list[int]:
        """Note what a multicall tells; gives those that are left to be asked one by one."""
        told = await self._aggregate([questions[index] for index in indices])
        if isinstance(told, Failure):
            for index in indices:
                found[index] = told
            return []
        if isinstance(told, _Refused):
            if told.failure is None or len(indices) <= CALLS_PER_BATCH:
                return indices
            size = -(-len(indices) // _PARTS)
            parts = [indices[start : start + size] for start in range(0, len(indices), size)]
            left = await asyncio.gather(*(self._together(questions, part, found) for part in parts))
            return [index for part in left for index in part]
        for index, outcome in zip(indices, told, strict=True):
            found[index] = outcome
        return [index for index, outcome in zip(indices, told, strict=True) if outcome.returned is None]

    async def _aggregate(self, questions: Sequence[Question]) -> list[Outcome] | _Refused | Failure:
        multicall = self._multicall
        if multicall is None:
            return _Refused(None)
        checks = [Call(multicall.address, data) for data in _CHECKS]
        if multicall.has_arb_sys:
            checks.append(Call(ARB_SYS, _ARB_BLOCK_NUMBER))
        asked = [header_call(self._block.number)]
        # one that is not known has to tell a balance as the node does
        witness = None if multicall.is_proven else _witness(questions)
        if witness is not None:
            checks.append(Call(multicall.address, codec.get_eth_balance(witness)))
            asked.append(RpcCall("eth_getBalance", (witness, self._at)))
        calls = checks + [
            Call(multicall.address, codec.get_eth_balance(one.wallet)) if isinstance(one, NativeBalance) else one
            for one in questions
        ]
        data = "0x" + codec.encode_aggregate3(calls).hex()

        def read(results: list[object]) -> list[Outcome] | _Refused | Failure:
            told, header, *balance = results
            if isinstance(told, Failure):
                return _Refused(told) if told.kind in _REFUSED else told
            failure = self._contradiction(header)
            if failure is not None:
                return failure
            try:
                outcomes = codec.decode_aggregate3(_bytes_of(told), len(calls))
            except codec.AnswerError:
                if multicall.is_proven:
                    raise  # damaged on its way, or a node that says nothing to any call
                return _Refused(None)
            failure = self._check(outcomes, has_arb_sys=multicall.has_arb_sys)
            if failure is None and balance:
                if isinstance(balance[0], Failure):
                    return balance[0]
                if _word(outcomes[len(checks) - 1]) != quantity_of(balance[0]):
                    return _Refused(None)
            return failure or outcomes[len(checks) :]

        answer: Answer[list[Outcome] | _Refused] = await self._ask(
            [self._eth_call(multicall.address, data), *asked], read
        )
        if answer.value is None:
            failure = answer.failure or Failure.of(Kind.TIMEOUT)
            return _Refused(failure) if failure.kind in _REFUSED else failure
        if isinstance(answer.value, _Refused):
            if answer.value.failure is None:
                self._multicall = None
        elif self._multicall is not None:
            self._multicall = replace(self._multicall, is_proven=True)
        return answer.value

    def _check(self, outcomes: Sequence[Outcome], *, has_arb_sys: bool) -> Failure | None:
        """Whether the multicall ran on this chain at this block."""
        chain_id, timestamp, *numbers = (_word(outcome) for outcome in outcomes[: len(_CHECKS) + has_arb_sys])
        if chain_id != self._chain.evm_id:
            return Failure.of(Kind.WRONG_CHAIN, f"its calls run on chain {chain_id}, not {self._chain.evm_id}")
        if self._block.number not in numbers:
            return _lag(f"its calls run at block {numbers[0]}, not at {self._block.number}")
        if timestamp != int(self._block.timestamp.timestamp()):
            return _lag(f"its calls see another time of block {self._block.number}")
        return None

    # -- one by one

    async def _one_by_one(
        self, questions: Sequence[Question], indices: list[int], found: list[Found | None]
    ) -> list[int]:
        """Each with its own gas in one batch; gives those that the contract refused."""
        endpoints, reverted = self._endpoints, list[int]()
        for round_number in range(_ROUNDS_ONE_BY_ONE):
            answer = await self._ask_batch([questions[index] for index in indices], endpoints)
            if answer.value is None or answer.endpoint is None:
                failure = answer.failure or Failure.of(Kind.TIMEOUT)
                if failure.kind is Kind.TOO_BIG and len(indices) > 1:
                    middle = len(indices) // 2
                    for half in (indices[:middle], indices[middle:]):
                        reverted += await self._one_by_one(questions, half, found)
                    return reverted
                is_poison = failure.kind is Kind.TOO_BIG and await self._can_call()
                for index in indices:
                    found[index] = Outcome(None, b"") if is_poison else failure
                return reverted + (indices if is_poison else [])
            unanswered = []
            for index, one in zip(indices, answer.value, strict=True):
                if isinstance(one, Failure) and one.kind in _REFUSED:
                    if not isinstance(found[index], Outcome):  # a multicall told the contract's own words
                        found[index] = Outcome(None, b"")
                    reverted.append(index)
                else:
                    found[index] = one
                    if isinstance(one, Failure):
                        unanswered.append(index)
            if not unanswered:
                return reverted
            indices = unanswered
            # somebody else first; where there is nobody else, a moment later
            endpoints = in_order([*(one for one in endpoints if one != answer.endpoint), answer.endpoint])
            if len(endpoints) == 1 and round_number + 1 < _ROUNDS_ONE_BY_ONE:
                await asyncio.sleep(min(0.25, self._deadline.remaining()))
        return reverted

    async def _ask_batch(self, questions: Sequence[Question], endpoints: Sequence[Endpoint]) -> "Answer[list[Found]]":
        asked = [
            RpcCall("eth_getBalance", (one.wallet, self._at))
            if isinstance(one, NativeBalance)
            else self._eth_call(one.target, "0x" + one.data.hex())
            for one in questions
        ]

        def read(results: list[object]) -> list[Found] | Failure:
            *answers, control, header = results
            if isinstance(control, Failure):
                return _failing_all(control)
            failure = self._contradiction(header)
            if failure is not None:
                return failure
            is_mute = control == "0x"
            found = [_found(one, told, is_mute=is_mute) for one, told in zip(questions, answers, strict=True)]
            troubles = [one for one in found if isinstance(one, Failure) and one.kind not in _REFUSED]
            return troubles[0] if len(troubles) == len(found) else found

        return await self._ask([*asked, self._control(), header_call(self._block.number)], read, endpoints)

    async def _can_call(self) -> bool:
        def read(results: list[object]) -> bool | Failure:
            return _failing_all(results[0]) if isinstance(results[0], Failure) else True

        return (await self._ask([self._control()], read)).value is True

    def _control(self) -> RpcCall:
        return self._eth_call(_IDENTITY, "0x01")

    # -- both

    def _eth_call(self, target: str, data: str) -> RpcCall:
        return RpcCall("eth_call", ({"to": target, "data": data}, self._at))

    def _contradiction(self, header: object) -> Failure | None:
        """Why a server's answer is not of the pinned block; None when it is."""
        if isinstance(header, Failure):
            return header
        told = header_of(header)
        if told is not None and told.hash == self._block.hash and told.number == self._block.number:
            return None
        self._is_contradicted = True
        if told is None:
            return Failure.of(Kind.NODE_LAG, f"it does not have block {self._block.number}")
        return _lag(f"it has another block {self._block.number}")

    async def _ask(
        self,
        calls: Sequence[RpcCall],
        read: Callable[[list[object]], T | Failure],
        endpoints: Sequence[Endpoint] | None = None,
    ) -> Answer[T]:
        """One question within its own seconds and the chain's; nothing is asked any more once nobody can answer."""
        async with self._slots:
            if self.ended_by is not None:
                return Answer(None, None, self.ended_by, ())
            left = max(self._deadline.remaining() - self.held_back_seconds, 0.0)
            seconds = min(self._question_seconds, left)
            deadline = Deadline(asyncio.get_running_loop().time, seconds)
            answer = await self._rpc.ask(self._endpoints if endpoints is None else endpoints, calls, deadline, read)
        self.questions += 1
        if answer.failure is not None and answer.failure.kind not in _REFUSED:
            self.ended_by = answer.failure
            self.is_gone = self.is_gone or (self._is_contradicted and answer.failure.kind is Kind.NODE_LAG)
        return answer


def _found(question: Question, told: object, *, is_mute: bool) -> Found:
    """What a call of its own told; what cannot be read is this server's failure.

    Args:
        question: what was asked.
        told: its result, or why there is none.
        is_mute: the server said nothing to the call that echoes, so that its silence is no sign of an empty address.
    """
    if isinstance(told, Failure):
        return told
    try:
        if isinstance(question, NativeBalance):
            return Outcome(codec.encode_uint256(quantity_of(told)), None)
        returned = _bytes_of(told)
        if is_mute and not returned:
            return Failure.of(Kind.SERVER, "it says nothing to any call")
        return Outcome(returned, None)
    except (TypeError, ValueError) as error:
        return Failure.of(Kind.MALFORMED, type(error).__name__)


def _bytes_of(told: object) -> bytes:
    if not isinstance(told, str):
        raise TypeError("data is text")
    return codec.decode_hex(told)


def _word(outcome: Outcome) -> int | None:
    returned = outcome.returned
    return int.from_bytes(returned) if returned is not None and len(returned) == codec.WORD else None


def _witness(questions: Sequence[Question]) -> str:
    """A wallet among the questions, else Multicall3's own address: whose native balance is compared."""
    wallets = (one.wallet for one in questions if isinstance(one, NativeBalance))
    return next(wallets, CANONICAL_MULTICALL3)


def _failing_all(control: Failure) -> Failure:
    """A server that fails a call that cannot fail says nothing about contracts."""
    return Failure.of(Kind.SERVER, "it fails every call") if control.kind in _REFUSED else control


def _lag(detail: str) -> Failure:
    """Another block than the pinned one: another server may have it, this one will not have it a moment later."""
    return replace(Failure.of(Kind.NODE_LAG, detail), is_retryable_here=False)
