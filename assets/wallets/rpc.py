"""JSON-RPC 2.0 over the network: several calls as one question, answered by one server.

Belongs here: batches, ids, error objects as failures, and single calls for a server that takes no batches. Must not be
here: which server is asked and when (assets/network/hedging.py), what a result means. Source: the JSON-RPC 2.0
specification, https://www.jsonrpc.org/specification.

A batch is one question because its results belong together: a block's hash beside the balances proves that one server
at one moment said both.
"""

import asyncio
import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

from assets.network.budget import Deadline
from assets.network.endpoints import Endpoint
from assets.network.errors import Failure, Kind, classify
from assets.network.hedging import Answer, Network, Send, Try
from assets.network.http import Reply, Request

T = TypeVar("T")

#: A batch of this size is put as single calls when it is refused for its size; a larger one is the caller's to halve.
SMALL_BATCH = 8
_SINGLES_AT_ONCE = 8
# what a server may say to a batch that it would not say to a single call
_MAY_BE_REFUSAL = {Kind.PERMANENT, Kind.TOO_BIG, Kind.CALL_FAILED, Kind.SERVER, Kind.MALFORMED}
_MAY_BE_REFUSED_BY_HTTP = {Kind.PERMANENT, Kind.TOO_BIG, Kind.CALL_FAILED}
# after these the next single call would be told the same
_ENDS_SINGLES = {Kind.RATE_LIMITED, Kind.QUOTA, Kind.AUTH_OR_GEO, Kind.TIMEOUT}
# never the same twice in a process, so that an answer kept by something in between is none of ours
_ids = itertools.count(1)


class RpcCall(NamedTuple):
    """One method with its positional parameters."""

    method: str
    params: tuple[object, ...] = ()


@dataclass(frozen=True, slots=True)
class Batch(Request):
    """Several calls in one body; `singles` are the same calls, each in a body of its own, with the same ids."""

    ids: tuple[int, ...] = ()
    singles: tuple[Request, ...] = ()

    @classmethod
    def of(cls, calls: Sequence[RpcCall]) -> "Batch":
        """Number the calls and encode them once for all tries; one call alone is no JSON array."""
        ids = tuple(next(_ids) for _ in calls)
        bodies = [
            json.dumps(
                {"jsonrpc": "2.0", "id": number, "method": call.method, "params": call.params}, separators=(",", ":")
            )
            for number, call in zip(ids, calls, strict=True)
        ]
        body = bodies[0] if len(bodies) == 1 else f"[{','.join(bodies)}]"
        return cls(body.encode(), ids=ids, singles=tuple(Request(single.encode()) for single in bodies))


class Rpc:
    """JSON-RPC to the servers of one chain.

    Args:
        network: asks.
        refusers: hosts known to take no batches; shared by all chains of a run and added to.

    Attributes:
        tries: of all questions so far.
    """

    def __init__(self, network: Network, refusers: set[str] | None = None) -> None:
        self._hosts = network.hosts
        self._refusers = set() if refusers is None else refusers
        self._network = network.through(self._wrap)
        self.tries: list[Try] = []

    async def ask(
        self,
        endpoints: Sequence[Endpoint],
        calls: Sequence[RpcCall],
        deadline: Deadline,
        read: Callable[[list[object]], T | Failure],
    ) -> Answer[T]:
        """Put some calls as one question.

        Args:
            endpoints: asked by their rank.
            calls: at least one.
            deadline: of the question.
            read: given the results in the order of the calls, a `Failure` where a call has none; makes the value of
                them, or the failure of this server. `call_failed` is only ever said of an eth_call.
        """
        batch = Batch.of(calls)

        def read_value(value: object) -> T | Failure:
            found = results(batch.ids, value)
            if isinstance(found, Failure):
                return _not_of_contract(found)
            return read([_of_method(call.method, one) for call, one in zip(calls, found, strict=True)])

        answer = await self._network.ask(endpoints, batch, deadline, read_value)
        self.tries += answer.tries
        return answer

    def _wrap(self, send: Send) -> Send:
        async def send_or_split(endpoint: Endpoint, request: Request, timeout_seconds: float) -> Reply | Failure:
            if not isinstance(request, Batch) or len(request.singles) < 2:
                return _not_of_contract(await send(endpoint, request, timeout_seconds))
            ends_at = asyncio.get_running_loop().time() + timeout_seconds
            if endpoint.host not in self._refusers:
                reply = await send(endpoint, request, timeout_seconds)
                if not _may_be_refusal(reply, request):
                    return reply
            left = ends_at - asyncio.get_running_loop().time()
            return _not_of_contract(await self._send_singles(send, endpoint, request, left))

        return send_or_split

    async def _send_singles(
        self, send: Send, endpoint: Endpoint, batch: Batch, timeout_seconds: float
    ) -> Reply | Failure:
        """The batch call by call at one server, as if it had taken it; its rate is kept for each of them."""
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + timeout_seconds
        host = self._hosts.of(endpoint.host)
        slots = asyncio.Semaphore(_SINGLES_AT_ONCE)
        ended_by: list[Failure] = []
        size = 0

        async def send_single(number: int, request: Request) -> object:
            nonlocal size
            async with slots:
                while not ended_by and (wait := host.bucket.wait_seconds()) > 0:
                    await asyncio.sleep(min(wait, max(ends_at - loop.time(), 0.001)))
                    if loop.time() >= ends_at:
                        ended_by.append(Failure.of(Kind.TIMEOUT))
                if ended_by:
                    return {"id": number, "error": ended_by[0]}
                host.bucket.take()
                reply = await send(endpoint, request, ends_at - loop.time())
            if isinstance(reply, Failure):
                if reply.kind in _ENDS_SINGLES:
                    ended_by.append(reply)
                return {"id": number, "error": reply}
            size += reply.size_bytes
            return reply.value

        first = await send_single(batch.ids[0], batch.singles[0])
        if isinstance(first, dict) and isinstance(first.get("error"), Failure):
            failure: Failure = first["error"]
            if failure.kind not in (Kind.CALL_FAILED, Kind.TOO_BIG):
                return failure  # the server is in trouble whatever it is asked
        self._refusers.add(endpoint.host)
        rest = zip(batch.ids[1:], batch.singles[1:], strict=True)
        answers = [first, *await asyncio.gather(*(send_single(number, single) for number, single in rest))]
        return Reply(answers, size)


def results(ids: Sequence[int], value: object) -> list[object] | Failure:
    """Results in the order of the ids; a `Failure` for each call that failed, has no answer, or has two.

    Returns:
        One failure for all where the server answered the batch as a whole, or answered other questions.
    """
    items = value if isinstance(value, list) else [value]
    found: dict[int, object] = {}
    for item in items:
        if not isinstance(item, Mapping):
            return Failure.of(Kind.MALFORMED, "no JSON-RPC answer")
        number = item.get("id")
        if number is None and item.get("error") is not None:
            return _failure(item["error"])
        if type(number) is int:
            found[number] = _AMBIGUOUS if number in found else _result(item)
    if found.keys().isdisjoint(ids):
        # an error object for all of a batch carries no id, or any
        errors = [item["error"] for item in items if item.get("error") is not None]
        return _failure(errors[0]) if errors else _OTHER_QUESTION
    return [found.get(number, _MISSING) for number in ids]


_MISSING = Failure.of(Kind.MALFORMED, "a call of the batch has no answer")
_AMBIGUOUS = Failure.of(Kind.MALFORMED, "a call of the batch has two answers")
_OTHER_QUESTION = Failure.of(Kind.MALFORMED, "an answer to another question")
_NO_RESULT = Failure.of(Kind.MALFORMED, "an answer without result and error")


def _result(item: Mapping[str, object]) -> object:
    if item.get("error") is not None:
        return _failure(item["error"])
    return item.get("result", _NO_RESULT)


def _failure(error: object) -> Failure:
    if isinstance(error, Failure):  # a single call that stands for a part of a batch
        return error
    return classify(error) if isinstance(error, Mapping | str) else Failure.of(Kind.MALFORMED, "an error of no form")


R = TypeVar("R")


def _not_of_contract(result: R | Failure) -> R | Failure:
    """What a server says of a whole batch, or of a method that runs no contract, is no verdict of a contract."""
    if isinstance(result, Failure) and result.kind is Kind.CALL_FAILED:
        return Failure.of(Kind.SERVER, "it refuses what no contract decides")
    return result


def _of_method(method: str, result: object) -> object:
    return result if method == "eth_call" else _not_of_contract(result)


def _may_be_refusal(reply: Reply | Failure, batch: Batch) -> bool:
    """Whether the server would answer the same calls one by one."""
    if isinstance(reply, Failure):
        # a server that fails or sends pages does so for a single call too
        kind, may = reply.kind, reply.kind in _MAY_BE_REFUSED_BY_HTTP
    else:
        found = results(batch.ids, reply.value)
        if not isinstance(found, Failure):
            return False
        kind, may = found.kind, found.kind in _MAY_BE_REFUSAL and found is not _OTHER_QUESTION
    return may and (kind is not Kind.TOO_BIG or len(batch.singles) <= SMALL_BATCH)
