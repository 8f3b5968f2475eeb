"""One question to one provider: its budget kept, faults tried again as far as that may help, all of it counted.

Belongs here: waiting, back-off, Retry-After, deadlines. Must not be here: what is asked, what an answer means.
Unlike a chain, which has many endpoints (network/hedging.py), a provider has one host: a second try goes to the same.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import TypeVar

from assets.network.budget import Clock, Deadline, Hosts
from assets.network.errors import Failure, Kind

T = TypeVar("T")
Sleep = Callable[[float], Awaitable[None]]

DEFAULT_TRIES = 4
DEFAULT_TIMEOUT_SECONDS = 20.0
DEFAULT_DEADLINE_SECONDS = 60.0
_BACKOFF_SECONDS, _LONGEST_BACKOFF_SECONDS = 0.5, 15.0
# a try with less time than this would only fail as a time-out, and hide the fault before it
_SHORTEST_TRY_SECONDS = 1.0


@dataclass(slots=True)
class Cost:
    """What a question has cost so far; transports count into it."""

    requests: int = 0
    last_failure: Failure | None = None
    skews: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long one question may take.

    Attributes:
        tries: at most so many, the first included.
        timeout_seconds: of one try.
        deadline_seconds: of all tries and the waiting between, from the moment its turn came; a host that asks for a
            longer rest is not waited for.
    """

    tries: int = DEFAULT_TRIES
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    deadline_seconds: float = DEFAULT_DEADLINE_SECONDS


class PatientHosts:
    """Asks hosts for a whole run.

    Args:
        hosts: budgets and pauses, shared by all who ask the same hosts; lives on one event loop.
        clock: the same clock as that of `hosts`.
        random: for full jitter, so that many pages refused at one moment do not come back at one moment.
        sleep: `asyncio.sleep`, or a test's own.
    """

    def __init__(
        self,
        hosts: Hosts,
        clock: Clock,
        random: Random,
        patience: Patience | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._hosts, self._clock, self._random, self._sleep = hosts, clock, random, sleep
        self.patience = patience or Patience()
        self._gates: dict[str, asyncio.Lock] = {}

    async def ask(self, host: str, send: Callable[[float], Awaitable[T | Failure]], cost: Cost) -> T | Failure:
        """Ask until there is an answer, a fault that no repetition cures, or no time.

        Args:
            host: whose budget counts, by name.
            send: one try within so many seconds; must be repeatable and tells faults by returning them.
            cost: where faults are noted; `send` counts its requests there.

        Returns:
            The answer, or the last fault; a Retry-After beyond the deadline comes back in it.
        """
        state, deadline = self._hosts.of(host), None
        answer: T | Failure = Failure.of(Kind.TIMEOUT, "not asked")
        for attempt in range(self.patience.tries):
            # one after the other, or a thousand waiting pages would all wake for each request that may start
            async with self._gates.setdefault(host, asyncio.Lock()):
                deadline = deadline or Deadline(self._clock, self.patience.deadline_seconds)
                resting = await self._wait(host, deadline)
                if resting is not None:
                    return cost.last_failure or resting
                state.start()
            started_at = self._clock()
            try:
                answer = await send(min(self.patience.timeout_seconds, deadline.remaining()))
            except BaseException:
                state.breaker.cancelled()
                raise
            if not isinstance(answer, Failure):
                state.answered(self._clock() - started_at)
                return answer
            state.failed(answer)
            cost.last_failure = answer
            if not answer.is_retryable_here:
                break
            if attempt + 1 < self.patience.tries:
                longest = min(_BACKOFF_SECONDS * 2**attempt, _LONGEST_BACKOFF_SECONDS)
                await self._sleep(min(self._random.random() * longest, deadline.remaining()))
        return answer

    async def _wait(self, host: str, deadline: Deadline) -> Failure | None:
        """Wait for the host's share; a fault when it does not come in time."""
        while True:
            rest = self._hosts.of(host).rest()
            if max(rest.seconds, 0.0) + _SHORTEST_TRY_SECONDS > deadline.remaining():
                if rest.seconds <= 0:
                    return Failure.of(Kind.TIMEOUT, "time was over before the next try")
                return Failure.of(rest.kind, f"not asked: {rest.reason}", rest.seconds)
            if rest.seconds <= 0:
                return None
            await self._sleep(rest.seconds)
