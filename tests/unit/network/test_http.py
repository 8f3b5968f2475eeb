"""One request to a real server for each fault."""

import asyncio
import logging
import socket
import sys
import threading
import time
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.network.endpoints import endpoints_of
from assets.network.errors import Failure, Kind, MalformedResponseError
from assets.network.http import Http, Reply, Request, _refuse_deep, read_json

from .faulty_server import GOOD, faulty_server

ASK = Request.post({"jsonrpc": "2.0", "id": 1, "method": "eth_blockNumber", "params": []})


async def _send(path: str, timeout_seconds: float = 5.0, request: Request = ASK, **options):
    async with faulty_server() as server, Http(**options) as http:
        (endpoint,) = endpoints_of([server.url(path)])
        return await http.send(endpoint, request, timeout_seconds), server


def _fault(path: str, timeout_seconds: float = 5.0, **options) -> Failure:
    result, _ = asyncio.run(_send(path, timeout_seconds, **options))
    assert isinstance(result, Failure), result
    return result


def test_a_good_answer():
    result, server = asyncio.run(_send("good"))
    assert isinstance(result, Reply)
    assert result.value == GOOD
    assert result.size_bytes > 20
    assert server.bodies == [b'{"jsonrpc":"2.0","id":1,"method":"eth_blockNumber","params":[]}']
    assert server.headers[0]["Content-Type"] == "application/json"


def test_a_get_appends_its_path_and_keeps_the_query():
    result, server = asyncio.run(_send("good/v1/?key=k", request=Request(path="/address/bc1q")))
    assert isinstance(result, Reply)
    assert server.bodies == [b""]


def test_text_is_given_as_it_is_without_the_space_around_it():
    result, _ = asyncio.run(_send("html", request=Request(path="/blocks/tip/hash", is_text=True)))
    assert isinstance(result, Reply)
    assert result.value == "<html>Unauthorized</html>"
    result, _ = asyncio.run(_send("latin", request=Request(is_text=True)))
    assert isinstance(result, Failure)
    assert result.kind is Kind.MALFORMED


def test_user_and_password_of_an_address_are_sent_as_such():
    async def work():
        async with faulty_server() as server, Http() as http:
            (endpoint,) = endpoints_of([f"http://user:word@127.0.0.1:{server.port}/good"])
            await http.send(endpoint, ASK, 5)
            return server

    assert asyncio.run(work()).headers[0]["Authorization"] == "Basic dXNlcjp3b3Jk"


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("429", Kind.RATE_LIMITED), ("418", Kind.RATE_LIMITED), ("451", Kind.AUTH_OR_GEO), ("403", Kind.AUTH_OR_GEO),
        ("401", Kind.AUTH_OR_GEO), ("402", Kind.QUOTA), ("500", Kind.SERVER), ("502", Kind.SERVER), ("503", Kind.SERVER),
        ("504", Kind.TIMEOUT), ("404", Kind.PERMANENT), ("413", Kind.TOO_BIG), ("quota", Kind.QUOTA),
        ("reverted", Kind.CALL_FAILED), ("html", Kind.MALFORMED), ("html_refusal", Kind.SERVER),
        ("truncated_json", Kind.MALFORMED), ("nan", Kind.MALFORMED), ("twice", Kind.MALFORMED), ("nested", Kind.MALFORMED),
        ("latin", Kind.MALFORMED), ("empty", Kind.MALFORMED), ("reset", Kind.SERVER), ("cut_body", Kind.SERVER),
    ],
)  # fmt: skip
def test_faults(path, kind):
    assert _fault(path).kind is kind


@pytest.mark.parametrize("path", ["hang", "slow_body"])
def test_a_server_that_hangs_or_drips_ends_in_time(path):
    began = time.monotonic()
    assert _fault(path, 0.15).kind is Kind.TIMEOUT
    assert time.monotonic() - began < 5.0


@pytest.mark.parametrize("timeout_seconds", [0.1, 30.0])
def test_a_refusal_whose_body_hangs_keeps_its_status(timeout_seconds):
    began = time.monotonic()
    assert _fault("slow_refusal", timeout_seconds).kind is Kind.AUTH_OR_GEO
    assert time.monotonic() - began < 10.0


def test_retry_after_as_the_server_says_it():
    assert _fault("retry_seconds").retry_after_seconds == 7.0
    assert _fault("retry_date").retry_after_seconds == 30.0
    assert _fault("banned").retry_after_seconds == 120.0
    assert _fault("quota").retry_after_seconds == 30.0


@pytest.mark.parametrize("path", ["big", "big_announced", "bomb"])
def test_forty_megabytes_are_too_big_however_they_come(path):
    began = time.monotonic()
    assert _fault(path).kind is Kind.TOO_BIG
    assert time.monotonic() - began < 3.0


def test_the_limit_itself_is_no_fault():
    size = len(b'{"jsonrpc": "2.0", "id": 1, "result": "0x10"}')
    result, _ = asyncio.run(_send("good", size_limit_bytes=size))
    assert isinstance(result, Reply)
    assert _fault("good", size_limit_bytes=size - 1).kind is Kind.TOO_BIG


def test_a_wrong_content_type_does_not_matter_if_the_body_is_json():
    result, _ = asyncio.run(_send("wrong_type"))
    assert isinstance(result, Reply)
    assert result.value == GOOD


def test_a_redirect_is_not_followed():
    async def work():
        async with faulty_server() as first, faulty_server() as other, Http() as http:
            first.redirect_to = other.url("good")
            (endpoint,) = endpoints_of([first.url("redirect")])
            return await http.send(endpoint, ASK, 5), other

    failure, other = asyncio.run(work())
    assert (failure.kind, failure.is_retryable_elsewhere) == (Kind.PERMANENT, True)
    assert other.hits == []


async def _send_to(url: str):
    async with Http() as http:
        return await http.send(endpoints_of([url])[0], ASK, 5)


def test_nobody_listens():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening: refused for sure
        assert asyncio.run(_send_to(f"http://127.0.0.1:{taken.getsockname()[1]}/")).kind is Kind.SERVER


def test_a_name_that_does_not_exist_or_cannot_be_one():
    assert asyncio.run(_send_to("http://no.such.host.invalid/")).kind is Kind.SERVER
    assert asyncio.run(_send_to(f"http://{'a' * 70}.example/")).kind in (Kind.SERVER, Kind.PERMANENT)


def test_dead_names_keep_neither_others_nor_the_end_waiting(monkeypatch):
    real, wake = socket.getaddrinfo, threading.Event()

    def look_up(host, *arguments, **options):
        if host.endswith(".dead"):
            wake.wait(30)
            raise OSError("no such host")
        return real(host, *arguments, **options)

    async def work():
        async with faulty_server() as server, Http() as http:
            dead = [http.send(endpoints_of([f"http://{n}.dead/"])[0], ASK, 0.3) for n in range(40)]
            (good,) = endpoints_of([server.url("good").replace("127.0.0.1", "localhost")])
            return await asyncio.gather(http.send(good, ASK, 10.0), *dead)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    began = time.monotonic()
    try:
        good, *dead = asyncio.run(work())
        took = time.monotonic() - began
    finally:
        wake.set()
    assert isinstance(good, Reply)
    assert {failure.kind for failure in dead} == {Kind.TIMEOUT}
    assert took < 15.0


def test_what_answers_but_is_no_http_server():
    async def work():
        async def talk(reader, writer):
            await reader.readline()
            writer.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
            writer.close()

        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        async with server:
            return await _send_to(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")

    assert asyncio.run(work()).kind is Kind.MALFORMED


def test_tls_where_there_is_none():
    async def work():
        async with faulty_server() as server:
            return await _send_to(f"https://127.0.0.1:{server.port}/KEY")

    failure = asyncio.run(work())
    assert failure.kind in (Kind.SERVER, Kind.PERMANENT)
    assert "KEY" not in repr(failure)


def test_a_server_that_echoes_the_address_and_the_request_gives_nothing_away(caplog, capsys):
    key = "s3cr3t-0f-the-0wner"

    async def work():
        async with faulty_server() as server, Http() as http:
            (endpoint,) = endpoints_of([f"http://user:{key}@127.0.0.1:{server.port}/echo/{key}?k={key}"])
            return await http.send(endpoint, Request.post({"method": key}), 5), endpoint

    with caplog.at_level(logging.DEBUG):
        failure, endpoint = asyncio.run(work())
    assert failure.kind is Kind.SERVER
    captured = capsys.readouterr()
    for shown in (repr(failure), failure.message, repr(endpoint), caplog.text, captured.out, captured.err):
        assert key not in shown
        assert "echo" not in shown


def test_the_wall_clock_is_only_for_dates_without_one():
    assert Http(utc_now=lambda: datetime(2026, 1, 1, tzinfo=UTC))


def test_a_closed_session_is_a_defect_of_ours():
    with pytest.raises(RuntimeError, match="async with"):
        asyncio.run(Http().send(endpoints_of(["http://127.0.0.1:1/"])[0], ASK, 1))


@pytest.mark.parametrize(
    "body", [b"", b" ", b"{", b"{} {}", b"'a'", b"Infinity", b"-Infinity", b"\xff", b"\xef\xbb\xbf{}", b"1" * 5_000]
)
def test_what_is_no_strict_json(body):
    with pytest.raises(MalformedResponseError) as caught:
        read_json(body)
    assert caught.value.__cause__ is None
    assert str(caught.value) == ""


def test_json_of_any_type_is_read():
    assert read_json(b'[{"id": 1, "result": null}, "\xc3\xbc"]') == [{"id": 1, "result": None}, "ü"]


def test_a_request_shows_nothing():
    assert "0xabc" not in repr(Request.post({"params": ["0xabc"]}))
    with pytest.raises(ValueError, match="Out of range"):
        Request.post([float("nan")])


def test_deep_nesting_is_refused_whatever_the_limit_of_recursion() -> None:
    """Libraries raise Python's limit; a parser that follows a hostile answer then overruns the stack and ends the process."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000_000)
    try:
        for body in (b"[" * 500_000, b'{"a":' * 500_000, b"[" * 101 + b"]" * 101):
            with pytest.raises(MalformedResponseError):
                read_json(body)
    finally:
        sys.setrecursionlimit(before)
    assert read_json(b"[" * 100 + b"]" * 100)
    brackets_in_text = b'["' + b"[{" * 500 + b'\\""]'
    assert read_json(brackets_in_text) == ["[{" * 500 + '"']


@given(st.text(alphabet='[]{}":,a\\', max_size=60), st.integers(0, 3))
def test_depth_is_that_of_the_structure_whatever_stands_in_strings(text, opened):
    """Beside a counter that walks letter by letter; only terminated strings, others are no JSON anyhow."""
    body = ("[" * (99 + opened) + text).encode()
    depth = deepest = 0
    inside = escaped = False
    for letter in body.decode():
        if inside:
            inside, escaped = escaped or letter != '"', letter == "\\" and not escaped
        elif letter == '"':
            inside = True
        else:
            depth += (letter in "[{") - (letter in "]}")
            deepest = max(deepest, depth)
    if inside:
        return
    if deepest > 100:
        with pytest.raises(ValueError, match="too deep"):
            _refuse_deep(body)
    else:
        _refuse_deep(body)
