"""Waiting, back-off and giving up, on a clock of the test's own."""

import asyncio
from random import Random

import pytest

from assets.market.sources.patient_hosts import Cost, Patience, PatientHosts
from assets.network.budget import Hosts, Rate
from assets.network.errors import Failure, Kind

from .support import Time


def _ask(answers, time=None, patience=None, rates=None):
    time = time or Time()
    asking = PatientHosts(Hosts(time, 1_000, 1_000, rates=rates), time, Random(7), patience, time.sleep)
    cost, left = Cost(), list(answers)

    async def send(timeout_seconds: float):
        cost.requests += 1
        time.now += 0.1
        return left.pop(0)

    return asyncio.run(asking.ask("binance", send, cost)), cost, time


def test_a_fault_that_passes_is_tried_again_and_remembered():
    answer, cost, time = _ask([Failure.of(Kind.SERVER), Failure.of(Kind.MALFORMED), "good"])
    assert (answer, cost.requests) == ("good", 3)
    assert cost.last_failure.kind is Kind.MALFORMED
    assert 0 < time.slept[0] < 0.5  # full jitter
    assert 0 < time.slept[1] < 1.0


@pytest.mark.parametrize("kind", [Kind.PERMANENT, Kind.AUTH_OR_GEO, Kind.QUOTA, Kind.TOO_BIG])
def test_what_no_repetition_cures_is_asked_once(kind):
    answer, cost, time = _ask([Failure.of(kind), "good"])
    assert answer.kind is kind
    assert (cost.requests, time.slept) == (1, [])


def test_retry_after_is_heeded():
    answer, cost, time = _ask([Failure.of(Kind.RATE_LIMITED, retry_after_seconds=7.0), "good"])
    assert (answer, cost.requests) == ("good", 2)
    assert sum(time.slept) == pytest.approx(7.0)


def test_a_longer_ban_is_not_waited_for_and_told():
    answer, cost, time = _ask([Failure.of(Kind.RATE_LIMITED, retry_after_seconds=120.0), "good"])
    assert (answer.kind, answer.retry_after_seconds, cost.requests) == (Kind.RATE_LIMITED, 120.0, 1)
    assert sum(time.slept) < 1


def test_it_gives_up_after_its_tries():
    answer, cost, _ = _ask([Failure.of(Kind.TIMEOUT)] * 9, patience=Patience(tries=2))
    assert (answer.kind, cost.requests) == (Kind.TIMEOUT, 2)


def test_a_host_that_failed_three_times_is_left_alone():
    """The fourth try waits for the breaker's probe, 30 seconds later."""
    answer, cost, time = _ask([Failure.of(Kind.SERVER)] * 3 + ["good"])
    assert (answer, cost.requests) == ("good", 4)
    assert time.now > 30


def test_one_bucket_for_all_who_ask_a_host():
    time = Time()
    asking = PatientHosts(Hosts(time, rates={"kraken": Rate(1.0, 2)}), time, Random(1), None, time.sleep)
    started = []

    async def work():
        async def send(_: float):
            started.append(time.now)
            return "good"

        await asyncio.gather(*(asking.ask("kraken", send, Cost()) for _ in range(6)))
        await asking.ask("binance", send, Cost())

    asyncio.run(work())
    assert started[:6] == pytest.approx([0, 0, 1, 2, 3, 4], abs=1e-6)
    assert started[6] == started[5]
    assert len(time.slept) < 12  # and waiting costs no busy waking


def test_a_defect_is_raised():
    time = Time()

    async def send(_: float):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        asyncio.run(PatientHosts(Hosts(time), time, Random(1), None, time.sleep).ask("x", send, Cost()))
