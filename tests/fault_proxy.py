"""A proxy before real EVM nodes that adds latency and faults: a port of its own for each endpoint.

Belongs here: what servers do wrong, by name, and the process or thread that does it. Must not be here: nodes
(tests/evm_nodes.py), expectations. In a test it runs on a thread, so that a test can act between two requests; a
benchmark runs it as a process (`FaultProxyProcess`), so that its CPU time is not ours.

Faults: `hang`, `429` (says Retry-After: 1), `500` (quotes the address it was called at), `html` (a page with status 200),
`no_eth_call` (an error object), `mute` (nothing to any eth_call), `reverts_all` (each eth_call "execution reverted"), `wrong_ids`, `shuffled`, `missing`
(the first answer of a batch), `twice` (the first answer of a batch stands twice), `no_batch` (one error object),
`no_batch_400` (a refusal by HTTP), `any_block` (reads at the head whatever block is asked), `flat` (refuses Multicall3).
"""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

import aiohttp
from aiohttp import web

#: Stands in every proxied address, as a provider's key does.
KEY = "k3y5ecret0c0ffee0c0ffee0c0ffee42"
# 100 clients connect at one moment; aiohttp's own 128 would drop some of a larger crowd
_BACKLOG = 4096
_REFUSAL = {"jsonrpc": "2.0", "id": None, "error": {"code": -32600, "message": "batches are not supported"}}


@dataclass
class Route:
    """One endpoint.

    Attributes:
        requests: HTTP requests so far.
        bodies: what was asked in them, decoded; only where the proxy runs in a thread.
        before: called before a request is passed on, with its number from 1 and its calls.
    """

    upstream: str
    latency_seconds: float = 0.0
    fault: str | None = None
    port: int = 0
    requests: int = 0
    bodies: list[Any] = field(default_factory=list)
    before: Callable[[int, Any], None] | None = None

    @property
    def url(self) -> str:
        """Its address, with a key in it."""
        return f"http://127.0.0.1:{self.port}/v3/{KEY}"

    @property
    def methods(self) -> list[list[str]]:
        """Methods of each request."""
        return [[call["method"] for call in _calls(body)] for body in self.bodies]


class _Proxy:
    def __init__(self, *, is_recording: bool) -> None:
        self._is_recording = is_recording
        self._routes: dict[int, Route] = {}
        self._closing = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        self._runner = web.ServerRunner(web.Server(self._answer, access_log=None), shutdown_timeout=0.1)
        await self._runner.setup()
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing.set()
        await self._runner.cleanup()
        await self._session.close()

    async def add(self, route: Route) -> Route:
        site = web.TCPSite(self._runner, "127.0.0.1", 0, backlog=_BACKLOG)
        await site.start()
        route.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
        self._routes[route.port] = route
        return route

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        assert request.transport is not None
        route = self._routes[request.transport.get_extra_info("sockname")[1]]
        body = await request.read()
        route.requests += 1
        number = route.requests
        if self._is_recording:
            route.bodies.append(json.loads(body))
        await asyncio.sleep(route.latency_seconds)
        if route.before is not None:
            await asyncio.get_running_loop().run_in_executor(None, route.before, number, _calls(json.loads(body)))
        fault = route.fault
        if fault == "hang":
            await self._closing.wait()
        if fault == "429":
            return web.Response(status=429, headers={"Retry-After": "1"}, text="slow down")
        if fault == "500":
            return web.Response(status=500, text=f"no good answer at {request.url}")
        if fault == "html":
            return web.Response(text="<html>Welcome to your new server</html>", content_type="text/html")
        asked = json.loads(body) if fault is not None else None
        if isinstance(asked, list) and fault == "no_batch":
            return web.json_response(_REFUSAL)
        if isinstance(asked, list) and fault == "no_batch_400":
            return web.Response(status=400, text="Bad Request")
        if fault == "any_block":
            body = json.dumps(_at_the_head(asked)).encode()
        async with self._session.post(
            route.upstream, data=body, headers={"Content-Type": "application/json"}
        ) as response:
            answer = await response.read()
        if fault is not None:
            answer = json.dumps(_spoiled(fault, asked, json.loads(answer))).encode()
        return web.Response(body=answer, content_type="application/json")


def _calls(body: Any) -> list[Any]:
    return body if isinstance(body, list) else [body]


def _at_the_head(asked: Any) -> Any:
    for call in _calls(asked):
        if call["method"] == "eth_call":
            call["params"][1] = "latest"
    return asked


def _spoiled(fault: str, asked: Any, answer: Any) -> Any:
    method_of = {call["id"]: call["method"] for call in _calls(asked)}
    target_of = {call["id"]: call["params"][0].get("to") for call in _calls(asked) if call["method"] == "eth_call"}
    for one in _calls(answer):
        is_call = method_of.get(one["id"]) == "eth_call"
        if is_call and fault == "no_eth_call":
            _fail(one, -32603, "internal trouble")
        if is_call and fault == "mute":
            one["result"] = "0x"
        if is_call and fault == "reverts_all":
            _fail(one, 3, "execution reverted")
        if is_call and fault == "flat" and target_of[one["id"]].lower().startswith("0xca11"):
            _fail(one, -32000, "out of gas")
        if fault == "wrong_ids":
            one["id"] += 1_000_000
    if isinstance(answer, list):
        if fault == "shuffled":
            return answer[::-1]
        if fault == "missing":
            return [one for one in answer if one["id"] != asked[0]["id"]]
        if fault == "twice":
            return [*answer, {**answer[0], "result": "0x"}]
    return answer


def _fail(answer: dict[str, Any], code: int, message: str) -> None:
    answer.pop("result", None)
    answer["error"] = {"code": code, "message": message}


class FaultProxy:
    """The proxy on a thread of its own; a context manager."""

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._proxy = self._run(_made(is_recording=True))
        self._run(self._proxy.__aenter__())
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._proxy.__aexit__())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def route(self, upstream: str, fault: str | None = None, latency_seconds: float = 0.0) -> Route:
        """Open a port before a node."""
        return self._run(self._proxy.add(Route(upstream, latency_seconds, fault)))

    def _run(self, work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(20)


async def _made(*, is_recording: bool) -> _Proxy:
    return _Proxy(is_recording=is_recording)


class FaultProxyProcess:
    """The proxy as a process: routes are given at the start, faults change by `set_faults`."""

    def __init__(self, routes: list[Route]) -> None:
        self.routes = routes

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.fault_proxy"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        told = self._ask({"routes": [[route.upstream, route.latency_seconds, route.fault] for route in self.routes]})
        for route, port in zip(self.routes, told, strict=True):
            route.port = port
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(10)

    def set_faults(self, faults: list[str | None]) -> None:
        """The fault of each route, in their order; counts begin anew."""
        self._ask({"faults": faults})

    def requests(self) -> list[int]:
        """HTTP requests of each route since the faults were set."""
        return self._ask({"count": True})

    def _ask(self, command: dict[str, Any]) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())


async def _serve() -> None:
    """Commands from standard input, a line of JSON each; ends with it."""
    loop = asyncio.get_running_loop()
    async with _Proxy(is_recording=False) as proxy:
        routes: list[Route] = []
        while line := await loop.run_in_executor(None, sys.stdin.readline):
            command = json.loads(line)
            answer: Any = None
            if "routes" in command:
                for upstream, latency_seconds, fault in command["routes"]:
                    routes.append(await proxy.add(Route(upstream, latency_seconds, fault)))
                answer = [route.port for route in routes]
            elif "faults" in command:
                for route, fault in zip(routes, command["faults"], strict=True):
                    route.fault, route.requests = fault, 0
            else:
                answer = [route.requests for route in routes]
            print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    asyncio.run(_serve())
