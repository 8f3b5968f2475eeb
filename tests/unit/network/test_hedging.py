"""Whom to ask when: the rules in virtual time, and the promises once more against real servers."""

import asyncio
import gc
import time
import warnings
from random import Random

import pytest

from assets.network.budget import Deadline, Hosts
from assets.network.endpoints import endpoints_of
from assets.network.errors import Failure, Kind, classify
from assets.network.hedging import Network
from assets.network.http import Http, Reply, Request

from .faulty_server import GOOD, faulty_server
from .virtual_time import run_in_virtual_time

ASK = Request.post({"id": 1})
HANG = 1e9


def _read(value: object) -> object | Failure:
    if isinstance(value, dict) and isinstance(value.get("error"), dict):
        return classify(value["error"])
    return value


class Script:
    """Servers that answer as written: host -> list of (seconds, reply or failure), the last one for ever."""

    def __init__(self, **hosts: list[tuple[float, object]]) -> None:
        self.endpoints = endpoints_of(f"https://{name}.example/key" for name in hosts)
        self._hosts = {f"{name}.example": list(steps) for name, steps in hosts.items()}
        self.started: list[tuple[str, float]] = []
        self.under_way = 0

    async def send(self, endpoint, request, timeout_seconds):
        steps = self._hosts[endpoint.host]
        seconds, outcome = steps.pop(0) if len(steps) > 1 else steps[0]
        self.started.append((endpoint.host.removesuffix(".example"), round(asyncio.get_running_loop().time(), 3)))
        self.under_way += 1
        try:
            if seconds >= timeout_seconds:
                await asyncio.sleep(timeout_seconds)
                return Failure.of(Kind.TIMEOUT)
            await asyncio.sleep(seconds)
        finally:
            self.under_way -= 1
        if isinstance(outcome, Exception):
            raise outcome
        return outcome if isinstance(outcome, Failure) else Reply(outcome, 1)

    async def ask(self, hosts=None, seconds=5.0, read=_read, endpoints=None):
        clock = asyncio.get_running_loop().time
        network = Network(self.send, hosts or Hosts(clock), clock, Random(1))
        answer = await network.ask(
            self.endpoints if endpoints is None else endpoints, ASK, Deadline(clock, seconds), read
        )
        assert self.under_way == 0, "something is still under way"
        return answer


def _outcomes(answer) -> list[tuple[str, str]]:
    return [(one.label.removesuffix(".example"), one.outcome) for one in answer.tries]


def _ask(script: Script, **options):
    return run_in_virtual_time(script.ask(**options))


def test_a_fast_primary_is_asked_alone():
    script = Script(a=[(0.1, "x")], b=[(0.1, "y")])
    answer = _ask(script)
    assert (answer.value, answer.endpoint.label, answer.failure) == ("x", "a.example", None)
    assert _outcomes(answer) == [("a", "ok")]
    assert answer.tries[0].ms == pytest.approx(100)


def test_a_hanging_primary_costs_the_hedge_delay():
    script = Script(a=[(HANG, "x")], b=[(0.15, "y")])
    answer = _ask(script)
    assert answer.value == "y"
    assert script.started == [("a", 0.0), ("b", 0.4)]
    assert _outcomes(answer) == [("b", "ok"), ("a", "cancelled")]
    assert [round(one.started_ms + one.ms) for one in answer.tries] == [550, 550]
    assert all(one.failure is None for one in answer.tries)


def test_the_slow_primary_may_still_be_first():
    answer = _ask(Script(a=[(0.5, "x")], b=[(0.3, "y")]))
    assert answer.value == "x"
    assert _outcomes(answer) == [("a", "ok"), ("b", "cancelled")]


def test_a_failure_starts_the_next_at_once():
    script = Script(a=[(0.1, Failure.of(Kind.AUTH_OR_GEO))], b=[(0.1, Failure.of(Kind.PERMANENT))], c=[(0.1, "z")])
    answer = _ask(script)
    assert answer.value == "z"
    assert script.started == [("a", 0.0), ("b", 0.1), ("c", 0.2)]
    assert _outcomes(answer) == [("a", "auth_or_geo"), ("b", "permanent"), ("c", "ok")]


def test_what_the_reader_refuses_is_a_failure_of_that_endpoint():
    def read(value):
        return Failure.of(Kind.WRONG_CHAIN) if value == "other chain" else value["result"]

    script = Script(a=[(0.1, "other chain")], b=[(0.1, ["no dict"])], c=[(0.1, {"result": 7})])
    answer = _ask(script, read=read)
    assert answer.value == 7
    assert _outcomes(answer) == [("a", "wrong_chain"), ("b", "malformed"), ("c", "ok")]
    assert "TypeError" in answer.tries[1].failure.message


def test_a_refused_call_is_final_and_nobody_else_is_asked():
    script = Script(a=[(0.1, {"error": {"code": 3, "message": "execution reverted"}})], b=[(0.1, "y")])
    answer = _ask(script)
    assert (answer.value, answer.endpoint, answer.failure.kind) == (None, None, Kind.CALL_FAILED)
    assert _outcomes(answer) == [("a", "call_failed")]


def test_none_is_a_value():
    answer = _ask(Script(a=[(0.1, None)]))
    assert (answer.value, answer.failure, answer.endpoint.label) == (None, None, "a.example")


def test_the_only_endpoint_is_tried_once_more():
    script = Script(a=[(0.1, Failure.of(Kind.SERVER)), (0.1, "x")])
    answer = _ask(script)
    assert answer.value == "x"
    assert 0.22 < script.started[1][1] < 0.48  # backoff with jitter
    assert _outcomes(answer) == [("a", "server"), ("a", "ok")]


def test_others_come_before_a_second_try():
    script = Script(a=[(0.1, Failure.of(Kind.SERVER))], b=[(0.1, Failure.of(Kind.NODE_LAG))])
    answer = _ask(script)
    assert [name for name, _ in script.started] == ["a", "b", "a", "b"]
    assert answer.failure.kind is Kind.SERVER


def test_what_cannot_pass_is_not_tried_again():
    script = Script(a=[(0.1, Failure.of(Kind.AUTH_OR_GEO))])
    assert _outcomes(_ask(script)) == [("a", "auth_or_geo")]


def test_retry_after_is_waited_for_within_the_deadline():
    script = Script(a=[(0.1, Failure.of(Kind.RATE_LIMITED, retry_after_seconds=2.0)), (0.1, "x")])
    answer = _ask(script)
    assert answer.value == "x"
    assert script.started == [("a", 0.0), ("a", 2.1)]


def test_retry_after_beyond_the_deadline_ends_at_once():
    async def work():
        answer = await script.ask()
        return answer, asyncio.get_running_loop().time()

    script = Script(a=[(0.1, Failure.of(Kind.RATE_LIMITED, retry_after_seconds=60.0))])
    answer, ended = run_in_virtual_time(work())
    assert (answer.failure.kind, answer.failure.retry_after_seconds) == (Kind.RATE_LIMITED, 60.0)
    assert ended == pytest.approx(0.1)


def test_retry_after_holds_for_later_questions_to_that_host():
    async def work():
        loop = asyncio.get_running_loop()
        hosts = Hosts(loop.time)
        answers = [await script.ask(hosts)]
        answers.append(await script.ask(hosts))
        await asyncio.sleep(8.0)
        answers.append(await script.ask(hosts))
        return answers

    script = Script(a=[(0.1, Failure.of(Kind.RATE_LIMITED, retry_after_seconds=7.0)), (0.1, "x")], b=[(0.1, "y")])
    first, second, third = run_in_virtual_time(work())
    assert _outcomes(first) == [("a", "rate_limited"), ("b", "ok")]
    assert _outcomes(second) == [("b", "ok")]
    assert _outcomes(third) == [("a", "ok")]


def test_a_resting_host_is_named_when_there_is_no_other():
    async def work():
        hosts = Hosts(asyncio.get_running_loop().time)
        await script.ask(hosts)
        return await script.ask(hosts)

    script = Script(a=[(0.1, Failure.of(Kind.QUOTA, retry_after_seconds=600.0))])
    answer = run_in_virtual_time(work())
    assert _outcomes(answer) == [("a", "skipped")]
    assert answer.failure.kind is Kind.QUOTA
    assert answer.failure.retry_after_seconds == pytest.approx(600)
    assert "left alone" in answer.failure.message
    assert len(script.started) == 1


def test_the_breaker_opens_on_real_calls_and_half_opens():
    async def work():
        loop = asyncio.get_running_loop()
        hosts = Hosts(loop.time, failures_to_open=3, cool_down_seconds=30)
        answers = [await script.ask(hosts) for _ in range(5)]
        await asyncio.sleep(30)
        answers += [await script.ask(hosts) for _ in range(2)]
        return answers

    script = Script(a=[(0.1, Failure.of(Kind.SERVER))] * 3 + [(0.1, "x")], b=[(0.1, "y")])
    answers = run_in_virtual_time(work())
    assert [_outcomes(one)[0] for one in answers] == [("a", "server")] * 3 + [("b", "ok")] * 2 + [("a", "ok")] * 2


def test_losers_do_not_open_the_breaker():
    async def work():
        hosts = Hosts(asyncio.get_running_loop().time, failures_to_open=1)
        return [await script.ask(hosts) for _ in range(4)]

    script = Script(a=[(HANG, "x")], b=[(0.1, "y")])
    for answer in run_in_virtual_time(work()):
        assert sorted(_outcomes(answer)) == [("a", "cancelled"), ("b", "ok")]


def test_all_hang_ends_at_the_deadline_with_all_tries():
    async def work():
        hosts = Hosts(asyncio.get_running_loop().time, failures_to_open=1)
        answer = await script.ask(hosts)
        return answer, asyncio.get_running_loop().time(), hosts

    script = Script(a=[(HANG, "x")], b=[(HANG, "y")], c=[(HANG, "z")])
    answer, ended, hosts = run_in_virtual_time(work())
    assert ended == pytest.approx(5.0)
    assert sorted(_outcomes(answer)) == [("a", "timeout"), ("b", "timeout"), ("c", "timeout")]
    assert answer.failure.kind is Kind.TIMEOUT
    assert hosts.of("a.example").breaker.wait_seconds() > 0


def test_one_that_started_just_before_the_end_is_not_blamed():
    answer = _ask(Script(a=[(HANG, "x")], b=[(HANG, "y")]), seconds=0.5)
    assert sorted(_outcomes(answer)) == [("a", "timeout"), ("b", "cancelled")]


def test_a_deadline_that_is_over_asks_nobody():
    script = Script(a=[(0.1, "x")])
    answer = _ask(script, seconds=0.0)
    assert script.started == []
    assert (_outcomes(answer), answer.failure.kind) == ([("a", "skipped")], Kind.TIMEOUT)


def test_no_endpoint_is_a_failure_that_says_so():
    answer = _ask(Script(), endpoints=())
    assert (answer.failure.kind, answer.tries) == (Kind.PERMANENT, ())
    assert "no endpoint" in answer.failure.message


def test_too_big_is_told_rather_than_what_others_failed_with():
    script = Script(a=[(0.1, Failure.of(Kind.AUTH_OR_GEO))], b=[(0.1, Failure.of(Kind.TOO_BIG))])
    assert _ask(script).failure.kind is Kind.TOO_BIG


def test_a_bucket_is_shared_by_all_questions_to_a_host():
    async def work():
        hosts = Hosts(asyncio.get_running_loop().time, requests_per_second=10, burst=5)
        answers = await asyncio.gather(*(script.ask_quietly(hosts) for _ in range(20)))
        return answers

    class Quiet(Script):
        async def ask_quietly(self, hosts):
            clock = asyncio.get_running_loop().time
            return await Network(self.send, hosts, clock, Random(1)).ask(
                self.endpoints, ASK, Deadline(clock, 5.0), _read
            )

    script = Quiet(a=[(0.05, "x")])
    answers = run_in_virtual_time(work())
    assert [one.value for one in answers] == ["x"] * 20
    times = [moment for _, moment in script.started]
    assert times[4] == 0.0
    assert times[5:] == pytest.approx([(number + 1) / 10 for number in range(15)], abs=0.002)


def test_the_hedge_delay_follows_what_was_seen():
    async def work():
        hosts = Hosts(asyncio.get_running_loop().time)
        for _ in range(10):
            await script.ask(hosts)
        script.started.clear()
        began = asyncio.get_running_loop().time()
        return await script.ask(hosts), [(name, moment - began) for name, moment in script.started]

    script = Script(a=[(0.06, "x")] * 10 + [(HANG, "x")], b=[(0.01, "y")])
    answer, started = run_in_virtual_time(work())
    assert answer.value == "y"
    assert started == [("a", pytest.approx(0, abs=1e-3)), ("b", pytest.approx(0.06, abs=2e-3))]


def test_a_defect_of_ours_is_raised_and_leaves_nothing_behind():
    script = Script(a=[(HANG, "x")], b=[(0.1, ZeroDivisionError("ours"))])
    with pytest.raises(ZeroDivisionError, match="ours"):
        _ask(script)
    assert script.under_way == 0


def test_a_cancelled_question_leaves_nothing_behind():
    async def work():
        hosts = Hosts(asyncio.get_running_loop().time, failures_to_open=1)
        task = asyncio.create_task(script.ask(hosts))
        await asyncio.sleep(1.0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return hosts.of("a.example").breaker.wait_seconds(), len(asyncio.all_tasks())

    script = Script(a=[(HANG, "x")], b=[(HANG, "y")])
    assert run_in_virtual_time(work()) == (0.0, 1)
    assert script.under_way == 0


def _against_real_servers(*paths: str, seconds: float = 2.0, times: int = 1):
    async def work():
        clock = asyncio.get_running_loop().time
        servers = [faulty_server() for _ in paths]
        opened = [await server.__aenter__() for server in servers]
        try:
            async with Http() as http:
                network = Network(http.send, Hosts(clock), clock, Random(1))
                endpoints = endpoints_of(server.url(path) for server, path in zip(opened, paths, strict=True))
                began = time.monotonic()
                answers = [await network.ask(endpoints, ASK, Deadline(clock, seconds), _read) for _ in range(times)]
                took = time.monotonic() - began
        finally:
            for server in servers:
                await server.__aexit__(None, None, None)
        return answers, took, [server.hits for server in opened]

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = asyncio.run(work())
        gc.collect()
    return result


def test_real_primary_hangs_secondary_answers():
    (answer,), took, hits = _against_real_servers("hang", "late")
    assert answer.value == GOOD
    assert 0.5 < took < 1.2  # hedge delay 0.4 s and 0.15 s of the secondary
    assert [(one.outcome) for one in answer.tries] == ["ok", "cancelled"]
    assert hits == [["hang"], ["late"]]


def test_real_primary_asks_to_be_left_alone():
    answers, _, hits = _against_real_servers("retry_seconds", "good", times=3)
    assert [one.value for one in answers] == [GOOD] * 3
    assert hits == [["retry_seconds"], ["good"] * 3]


def test_real_servers_all_dead_end_in_time():
    (answer,), took, _ = _against_real_servers("hang", "503", "html", "reset", seconds=0.7)
    assert took < 1.2
    assert {one.outcome for one in answer.tries} >= {"timeout", "server", "malformed"}
    assert len({one.label for one in answer.tries}) == 4
    assert answer.failure is not None
