"""A real HTTP server on 127.0.0.1, port 0, that answers each path with one fault."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

from aiohttp import web

GOOD = {"jsonrpc": "2.0", "id": 1, "result": "0x10"}
BIG_BYTES = 40 * 2**20


class FaultyServer:
    def __init__(self) -> None:
        self.hits: list[str] = []
        self.bodies: list[bytes] = []
        self.headers: list[dict[str, str]] = []
        self.redirect_to = ""
        self.closing = asyncio.Event()
        self.port = 0

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/{path}"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        fault = request.path.strip("/").split("/")[0]
        self.hits.append(fault)
        self.bodies.append(await request.read())
        self.headers.append(dict(request.headers))
        if fault.isdigit():
            return web.Response(status=int(fault), text="no")
        return await getattr(self, f"answer_{fault}")(request)

    async def answer_good(self, request):
        return web.json_response(GOOD)

    async def answer_late(self, request):
        await self._wait(0.15)
        return web.json_response(GOOD)

    async def answer_retry_seconds(self, request):
        return web.Response(status=429, headers={"Retry-After": "7"}, text="slow down")

    async def answer_retry_date(self, request):
        # the server's clock is an hour off: only the difference counts
        now = datetime.now(UTC) - timedelta(hours=1)
        headers = {
            "Date": format_datetime(now, usegmt=True),
            "Retry-After": format_datetime(now + timedelta(seconds=30), usegmt=True),
        }
        return web.Response(status=429, headers=headers)

    async def answer_banned(self, request):
        return web.json_response({"code": -1003, "msg": "Way too much request weight used; IP banned"}, status=418)

    async def answer_quota(self, request):
        error = {
            "code": -32005,
            "message": "daily request count exceeded, request rate limited",
            "data": {"rate": {"backoff_seconds": 30}},
        }
        return web.json_response({"jsonrpc": "2.0", "id": 1, "error": error}, status=429)

    async def answer_reverted(self, request):
        error = {"code": -32000, "message": "execution reverted: unauthorized"}
        return web.json_response([{"jsonrpc": "2.0", "id": 1, "error": error}], status=400)

    async def answer_html(self, request):
        return web.Response(text="<html>Unauthorized</html>", content_type="text/html")

    async def answer_html_refusal(self, request):
        return web.Response(
            status=503, text="<html class='unauthorized'>execution reverted</html>", content_type="text/html"
        )

    async def answer_wrong_type(self, request):
        return web.Response(text=json.dumps(GOOD), content_type="text/html")

    async def answer_truncated_json(self, request):
        return web.json_response(text=json.dumps(GOOD)[:-5])

    async def answer_nan(self, request):
        return web.json_response(text='{"result": NaN}')

    async def answer_twice(self, request):
        return web.json_response(text='{"result": "0x1", "result": "0x2"}')

    async def answer_nested(self, request):
        return web.json_response(text="[" * 200_000)

    async def answer_latin(self, request):
        return web.Response(body='{"name": "Zürich"}'.encode("latin-1"), content_type="application/json")

    async def answer_empty(self, request):
        return web.Response(status=204)

    async def answer_hang(self, request):
        await self._wait(30)
        return web.Response()

    async def answer_slow_body(self, request):
        response = web.StreamResponse()
        await response.prepare(request)
        while not self.closing.is_set():
            await response.write(b" ")
            await self._wait(0.02)
        return response

    async def answer_slow_refusal(self, request):
        response = web.StreamResponse(status=403)
        await response.prepare(request)
        await response.write(b"for")
        await self._wait(30)
        return response

    async def answer_reset(self, request):
        request.transport.abort()
        return web.Response()

    async def answer_cut_body(self, request):
        response = web.StreamResponse(headers={"Content-Length": "1000"})
        await response.prepare(request)
        await response.write(b'{"result"')
        request.transport.close()
        return response

    async def answer_big(self, request):
        response = web.StreamResponse()
        response.enable_chunked_encoding()
        await response.prepare(request)
        try:
            for _ in range(BIG_BYTES // 2**20):
                await response.write(b" " * 2**20)
        except ConnectionError:
            pass
        return response

    async def answer_big_announced(self, request):
        response = web.StreamResponse(headers={"Content-Length": str(BIG_BYTES)})
        await response.prepare(request)
        return response

    async def answer_bomb(self, request):
        body = gzip.compress(b" " * BIG_BYTES, compresslevel=1)
        return web.Response(body=body, headers={"Content-Encoding": "gzip", "Content-Type": "application/json"})

    async def answer_redirect(self, request):
        raise web.HTTPTemporaryRedirect(self.redirect_to)

    async def answer_echo(self, request):
        sent = (await request.read()).decode()
        text = f"unknown trouble with {request.url} {request.headers.get('Authorization')} {sent}"
        return web.json_response(
            {"error": {"code": -32000, "message": text, "data": text}}, status=500, headers={"X-Url": str(request.url)}
        )

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self.closing.wait(), seconds)


@asynccontextmanager
async def faulty_server() -> AsyncIterator[FaultyServer]:
    server = FaultyServer()
    application = web.Application()
    application.router.add_route("*", "/{path:.*}", server.answer)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.port = runner.addresses[0][1]
    try:
        yield server
    finally:
        server.closing.set()
        await runner.cleanup()
