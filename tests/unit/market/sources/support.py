"""What the tests of sources share: a clock that only sleeping moves, and an asking that uses it."""

import asyncio
from datetime import UTC, datetime
from random import Random

from assets.market.sources.asking import Asking, Patience
from assets.network.budget import Hosts

NOW = datetime(2026, 11, 20, 15, 7, tzinfo=UTC)  # a Friday; London is open, New York too


class Time:
    """A clock that only `sleep` moves: a Retry-After of a minute costs no time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


def asking(time: Time | None = None, timeout_seconds: float = 10.0, tries: int = 3, **hosts) -> Asking:
    """Without limits of its own, unless given."""
    time = time or Time()
    limits = {"requests_per_second": 1e6, "burst": 1_000_000} | hosts
    return Asking(Hosts(time, **limits), time, Random(7), Patience(tries, timeout_seconds, 60.0), time.sleep)


def now() -> datetime:
    """The wall clock of these tests."""
    return NOW
