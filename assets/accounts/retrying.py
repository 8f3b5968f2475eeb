"""The way to one provider: asked again and again, with pauses, a deadline, and every fault as a classified `Failure`.

Belongs here: the retry loop and the count of requests. Must not be here: which client is asked (clients), what for.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from assets.network.budget import Deadline, Host
from assets.network.errors import Failure, Kind, classify

_TRIES = 4
_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 8.0
# statuses whose meaning no library's own class of exception tells better; ccxt reads 451 as a server that is away
_TELLING_STATUSES = frozenset({418, 429, 451, *range(500, 600)})

Sleep = Callable[[float], Awaitable[None]]


class AskError(Exception):
    """A request failed for good; carries the classified failure and no text of the server."""

    def __init__(self, failure: Failure) -> None:
        self.failure = failure
        super().__init__(failure.message)


def malformed(detail: str) -> AskError:
    """An answer whose shape is not the documented one; `detail` is our own words."""
    return AskError(Failure.of(Kind.MALFORMED, detail))


@dataclass
class LastAnswer:
    """What the client saw of the newest answer; cleared before each request."""

    status: int | None = None
    headers: dict[str, str] | None = None


class Retrying:
    """The way to one provider for one reading.

    Args:
        deadline: after which nothing is asked any more.
        host: the provider's, shared by all its accounts: how often it may be asked, and since when it wants a rest.
        last: filled by the client, for status and Retry-After.
        sleep: waits; asyncio's own outside of tests.
        chance: for full jitter: pauses are uniform in [0, cap], so that accounts do not come back in step.
    """

    def __init__(
        self,
        deadline: Deadline,
        host: Host,
        last: LastAnswer,
        sleep: Sleep = asyncio.sleep,
        chance: random.Random | None = None,
    ) -> None:
        self.requests = 0
        self._deadline, self._host, self._last, self._sleep = deadline, host, last, sleep
        self._chance = chance or random.Random()  # noqa: S311 -- spreads requests, guards nothing

    async def __call__(self, send: Callable[[], Awaitable[Any]]) -> Any:
        """Send until answered.

        Raises:
            AskError: refused, or failed as often as makes sense, or out of time.
        """
        for attempt in range(1, _TRIES + 1):
            await self._turn()
            self._last.status, self._last.headers = None, None
            self.requests += 1
            try:
                async with asyncio.timeout(self._deadline.remaining()):
                    return await send()
            except AskError:
                raise
            except Exception as error:  # clients raise classes of their own, of requests, aiohttp, json
                failure = self._classified(error)
                # a refused key or a late answer is this account's alone, a limit is that of all
                if failure.kind is Kind.RATE_LIMITED:
                    self._host.failed(failure)
            pause = self._pause(failure, attempt)
            if attempt == _TRIES or pause is None or pause >= self._deadline.remaining():
                raise AskError(failure) from None
            await self._sleep(pause)
        raise AssertionError("unreachable")

    async def _turn(self) -> None:
        while True:
            remaining, rest = self._deadline.remaining(), self._host.rest()
            if not remaining:
                raise AskError(Failure.of(Kind.TIMEOUT, "the time for this account is used up"))
            if rest.seconds <= 0:
                self._host.bucket.take()
                return
            if rest.seconds >= remaining:
                raise AskError(Failure.of(rest.kind, rest.reason, rest.seconds))
            await self._sleep(rest.seconds)

    def _classified(self, error: Exception) -> Failure:
        status = self._last.status if self._last.status in _TELLING_STATUSES else None
        return classify(error, status=status, headers=self._last.headers)

    def _pause(self, failure: Failure, attempt: int) -> float | None:
        if not failure.is_retryable_here:
            return None
        if failure.retry_after_seconds is not None:
            return failure.retry_after_seconds
        cap = min(_FIRST_PAUSE_SECONDS * 2 ** (attempt - 1), _LONGEST_PAUSE_SECONDS)
        return self._chance.uniform(0, cap)
