"""One question to several servers: the first good answer counts, a slow or failing server costs little.

Belongs here: whom to ask when, and the record of every try. Must not be here: sockets (http.py), what an answer means
(the caller's `read`). Time is the event loop's; the clock passed in must be the same one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Generic, TypeVar

from assets.network.budget import Clock, Deadline, Hosts, Rest
from assets.network.endpoints import Endpoint
from assets.network.errors import Failure, Kind
from assets.network.http import Reply, Request

T = TypeVar("T")
Send = Callable[[Endpoint, Request, float], Awaitable[Reply | Failure]]

OK, CANCELLED, SKIPPED = "ok", "cancelled", "skipped"
_TRIES_PER_ENDPOINT = 2
_BACKOFF_SECONDS = 0.25
# what says most about a question that no server answered; the others count as they came
_TELLING = (Kind.CALL_FAILED, Kind.TOO_BIG)


@dataclass(frozen=True, slots=True)
class Try:
    """One try of one endpoint.

    Attributes:
        label: the endpoint's.
        started_ms: after the question was put.
        ms: until its outcome; 0 where it never started.
        outcome: `ok`; `cancelled` (another server was first, or time ran out right after the start); `skipped` (it was
            never asked: resting, or its turn did not come); else the failure's kind.
        failure: why there is no answer; None for `ok` and `cancelled`.
    """

    label: str
    started_ms: float
    ms: float
    outcome: str
    failure: Failure | None = None


@dataclass(frozen=True, slots=True)
class Answer(Generic[T]):
    """The outcome of one question: either `value` and `endpoint`, or `failure`.

    Attributes:
        tries: all of them, in the order they ended.
    """

    value: T | None
    endpoint: Endpoint | None
    failure: Failure | None
    tries: tuple[Try, ...]


@dataclass(slots=True)
class _Candidate:
    endpoint: Endpoint
    tries: int = 0
    not_before: float = 0.0


class Network:
    """What a run needs to ask: transport, the state of all hosts, clock and randomness.

    Args:
        send: sends one request to one endpoint within so many seconds, such as `Http.send`; never raises for a fault.
        clock: the event loop's clock; `time.monotonic` is the standard loop's.
        random: for jitter, so that many questions refused at one moment do not come back at one moment.
    """

    def __init__(self, send: Send, hosts: Hosts, clock: Clock, random: Random) -> None:
        self._send, self._hosts, self._clock, self._random = send, hosts, clock, random

    @property
    def hosts(self) -> Hosts:
        """The state of all hosts, for a transport that sends more than one request for a question."""
        return self._hosts

    def through(self, wrap: Callable[[Send], Send]) -> "Network":
        """The same hosts, clock and randomness over a transport that wraps this one's."""
        return Network(wrap(self._send), self._hosts, self._clock, self._random)

    async def ask(
        self,
        endpoints: Sequence[Endpoint],
        request: Request,
        deadline: Deadline,
        read: Callable[[object], T | Failure],
    ) -> Answer[T]:
        """Ask the first endpoint; the next one when that fails, or when it takes longer than it usually does.

        A host that rests (Retry-After, open breaker, rate) is passed over while another can be asked, and waited for
        where that is within the deadline. A failure that may pass is tried once more at the same endpoint.

        Args:
            endpoints: in the order of preference.
            request: must change nothing at the server.
            deadline: of the whole question.
            read: turns the JSON into the value, or into the failure that it is (another chain, a lagging node, a
                JSON-RPC error): then the next endpoint is asked, and it is scored as any other failure.

        Returns:
            An answer, at the latest when the deadline is over; nothing is under way any more.
        """
        question = _Question(self._send, self._hosts, self._clock, self._random, endpoints, request, deadline, read)
        try:
            return await question.run()
        finally:
            await question.stop()


class _Question(Generic[T]):
    """The state of one `ask`."""

    def __init__(
        self, send: Send, hosts: Hosts, clock: Clock, random: Random, endpoints: Sequence[Endpoint], request: Request,
        deadline: Deadline, read: Callable[[object], T | Failure],
    ) -> None:  # fmt: skip
        self._send, self._hosts, self._clock, self._random = send, hosts, clock, random
        self._request, self._deadline, self._read = request, deadline, read
        self._asked_at = clock()
        self._waiting = [_Candidate(endpoint) for endpoint in endpoints]
        self._flights: dict[asyncio.Task[T | Failure], tuple[_Candidate, float]] = {}
        self._tries: list[Try] = []
        # the next server is not asked before this moment
        self._hedge_at = self._asked_at

    async def run(self) -> Answer[T]:
        while self._deadline.remaining() > 0:
            candidate, start_at = self._next()
            if candidate is not None and start_at <= self._clock():
                self._start(candidate)
                continue
            in_time = candidate is not None and start_at < self._deadline.at
            if not self._flights and not in_time:
                break
            seconds = (start_at if in_time else self._deadline.at) - self._clock()
            if not self._flights:
                await asyncio.sleep(seconds)
                continue
            done, _ = await asyncio.wait(self._flights, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
            for task in sorted(done, key=lambda task: self._flights[task][0].endpoint.rank):
                answer = self._land(task)
                if answer is not None:
                    await self.stop()
                    return Answer(answer.value, answer.endpoint, answer.failure, tuple(self._tries))
        return await self._give_up()

    async def stop(self) -> None:
        """Cancel what is under way, note it, and wait until it is gone."""
        flights, self._flights = self._flights, {}
        for task, (candidate, started_at) in flights.items():
            task.cancel()
            self._hosts.of(candidate.endpoint.host).breaker.cancelled()
            self._note(candidate, started_at, CANCELLED)
        await asyncio.gather(*flights, return_exceptions=True)

    def _next(self) -> tuple[_Candidate | None, float]:
        """The candidate that can be asked first, and when; of several the one asked less often, then the preferred."""
        if not self._waiting:
            return None, self._deadline.at
        now = self._clock()

        def ready_at(candidate: _Candidate) -> float:
            rest = self._hosts.of(candidate.endpoint.host).rest()
            return max(candidate.not_before, self._hedge_at, now + max(rest.seconds, 0.0))

        best = min(self._waiting, key=lambda one: (ready_at(one), one.tries, one.endpoint.rank))
        return best, ready_at(best)

    def _start(self, candidate: _Candidate) -> None:
        self._waiting.remove(candidate)
        candidate.tries += 1
        host = self._hosts.of(candidate.endpoint.host)
        host.start()
        self._hedge_at = self._clock() + host.hedge_seconds()
        self._flights[asyncio.create_task(self._fly(candidate.endpoint))] = (candidate, self._clock())

    async def _fly(self, endpoint: Endpoint) -> T | Failure:
        reply = await self._send(endpoint, self._request, self._deadline.remaining())
        if isinstance(reply, Failure):
            return reply
        try:
            return self._read(reply.value)
        except (LookupError, TypeError, ValueError) as error:  # a shape that the reader did not think of
            return Failure.of(Kind.MALFORMED, type(error).__name__)

    def _land(self, task: "asyncio.Task[T | Failure]") -> Answer[T] | None:
        """Score and note what came; an answer ends the question, and so does what no other server would change."""
        result = task.result()  # raises only for a defect of ours; `stop` then counts the flight as given up
        candidate, started_at = self._flights.pop(task)
        host = self._hosts.of(candidate.endpoint.host)
        if not isinstance(result, Failure):
            host.answered(self._clock() - started_at)
            self._note(candidate, started_at, OK)
            return Answer(result, candidate.endpoint, None, ())
        host.failed(result)
        self._note(candidate, started_at, result.kind.value, result)
        if not result.is_retryable_elsewhere:
            return Answer(None, None, result, ())
        if result.is_retryable_here and candidate.tries < _TRIES_PER_ENDPOINT:
            candidate.not_before = self._clock() + _BACKOFF_SECONDS * (0.5 + self._random.random())
            self._waiting.append(candidate)
        self._hedge_at = self._clock()
        return None

    async def _give_up(self) -> Answer[T]:
        """No answer: what hangs has failed, what just started has not, and what was never asked says why."""
        for task, (candidate, started_at) in list(self._flights.items()):
            host = self._hosts.of(candidate.endpoint.host)
            if self._clock() - started_at >= host.hedge_seconds():
                failure = Failure.of(Kind.TIMEOUT)
                host.failed(failure)
                self._note(candidate, started_at, failure.kind.value, failure)
                del self._flights[task]
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
        await self.stop()
        for candidate in self._waiting:
            if candidate.tries == 0:
                rest = self._hosts.of(candidate.endpoint.host).rest()
                self._note(candidate, self._clock(), SKIPPED, _resting(rest))
        failures = [one.failure for one in self._tries if one.failure is not None]
        telling = sorted(failures, key=lambda failure: _rank(failure.kind))
        nothing = Failure.of(Kind.TIMEOUT, "time was over before an answer could come")
        if not self._tries and self._deadline.remaining() > 0:
            nothing = Failure.of(Kind.PERMANENT, "no endpoint was given")
        return Answer(None, None, telling[0] if telling else nothing, tuple(self._tries))

    def _note(self, candidate: _Candidate, started_at: float, outcome: str, failure: Failure | None = None) -> None:
        after, took = started_at - self._asked_at, self._clock() - started_at
        self._tries.append(Try(candidate.endpoint.label, after * 1e3, took * 1e3, outcome, failure))


def _resting(rest: Rest) -> Failure:
    if rest.seconds <= 0:
        return Failure.of(Kind.TIMEOUT, "its turn did not come")
    return Failure.of(rest.kind, f"not asked: {rest.reason}", rest.seconds)


def _rank(kind: Kind) -> int:
    return _TELLING.index(kind) if kind in _TELLING else len(_TELLING)
