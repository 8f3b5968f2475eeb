"""What the tests of sources share: a clock that only sleeping moves, and an asking that uses it."""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime
from random import Random
from typing import TypeVar

from assets.market.sources.patient_hosts import Patience, PatientHosts
from assets.network.budget import Hosts
from tests.provider_server import ProviderServer

T = TypeVar("T")

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


def asking(time: Time | None = None, timeout_seconds: float = 30.0, tries: int = 3, **hosts) -> PatientHosts:
    """Without limits of its own, unless given."""
    time = time or Time()
    limits = {"requests_per_second": 1e6, "burst": 1_000_000} | hosts
    return PatientHosts(Hosts(time, **limits), time, Random(7), Patience(tries, timeout_seconds, 60.0), time.sleep)


class _SkippingLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock can be moved on, so that time-outs come at once."""

    _skipped = 0.0

    def time(self) -> float:
        return super().time() + self._skipped

    def skip(self, seconds: float) -> None:
        self._skipped += seconds


def run_past_hangs(work: Coroutine[object, object, T], server: ProviderServer) -> T:
    """Run it; what hangs takes no time, and a busy machine makes no time-out of what only takes long."""
    loop = _SkippingLoop()
    server.on_hang = lambda: loop.call_soon_threadsafe(loop.skip, 100.0)
    with asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(work)


def now() -> datetime:
    """The wall clock of these tests."""
    return NOW
