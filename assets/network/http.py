"""JSON over HTTP: one request to one endpoint, and whatever goes wrong as a `Failure`.

Belongs here: the session of a run, time and size limits, strict reading of JSON. Must not be here: which endpoint is
asked and when (hedging.py), what an answer means.
"""

import asyncio
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import urlencode, urlsplit

from assets.network.endpoints import Endpoint
from assets.network.errors import Failure, MalformedResponseError, ResponseTooBigError, classify

if TYPE_CHECKING:
    import aiohttp

DEFAULT_SIZE_LIMIT_BYTES = 32 * 2**20
# what an error says is only worth a look, no wait
_ERROR_BODY_BYTES, _ERROR_BODY_SECONDS = 65_536, 0.25
_CONNECTIONS = 512
# deeper than any provider answers. Python's own limit of recursion is no guard: a library may have raised it, and then
# a hostile answer ends the process
_DEEPEST = 100
_BRACKETS = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*"|[\[{]|[\]}]', re.DOTALL)
_NO_STRUCTURE = bytes(set(range(256)) - set(b'[]{}"'))


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked; it may be sent more than once and to several servers, so it must change nothing there.

    Attributes:
        body: JSON to be posted; None: a GET.
        path: appended to the path of the endpoint's address, for REST services; begins with `/`, has no query.
        query: names and values, joined to the query of the endpoint's address.
    """

    body: bytes | None = field(default=None, repr=False)
    path: str = field(default="", repr=False)
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)

    @classmethod
    def post(cls, payload: object) -> "Request":
        """A JSON document to be posted, encoded once for all tries."""
        return cls(json.dumps(payload, separators=(",", ":"), allow_nan=False).encode())


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that is JSON; `size_bytes` after decompression."""

    value: object
    size_bytes: int


class Http:
    """One session for a whole run; an async context manager.

    Args:
        size_limit_bytes: a larger answer is `too_big`, whatever its header says and however well it was compressed.
        utc_now: the wall clock, for a Retry-After that is a date.
    """

    def __init__(
        self,
        size_limit_bytes: int = DEFAULT_SIZE_LIMIT_BYTES,
        utc_now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._size_limit_bytes, self._utc_now = size_limit_bytes, utc_now
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        import aiohttp

        from assets.network.resolver import OwnThreadsResolver

        self._resolver = OwnThreadsResolver()
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_CONNECTIONS, resolver=self._resolver),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept": "application/json", "User-Agent": "holdfast"},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._session is not None:
            await self._session.close()
            await self._resolver.close()

    async def send(self, endpoint: Endpoint, request: Request, timeout_seconds: float) -> Reply | Failure:
        """Ask one endpoint once for JSON.

        The body decides what is JSON, not the content type: nodes answer with text/plain too.
        """
        body = await self.fetch(endpoint, request, timeout_seconds)
        if isinstance(body, Failure):
            return body
        try:
            return Reply(read_json(body), len(body))
        except MalformedResponseError as error:
            return classify(error)

    async def fetch(self, endpoint: Endpoint, request: Request, timeout_seconds: float) -> bytes | Failure:
        """Ask one endpoint once, and take whatever a good status brings.

        Redirects are not followed: they would carry the request, and the key in it, to another host.
        """
        import aiohttp

        if self._session is None:
            raise RuntimeError("the session is not open; use `async with Http() as http`")
        try:
            async with self._session.request(
                "GET" if request.body is None else "POST",
                _address(endpoint.url, request),
                data=request.body,
                headers={} if request.body is None else {"Content-Type": "application/json"},
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=max(timeout_seconds, 0.001)),
            ) as response:
                if not 200 <= response.status < 300:
                    said = await _error_body(response)
                    return classify(said, response.status, response.headers, self._utc_now())
                return await self._body(response)
        except aiohttp.ClientResponseError:  # raised only for what is no HTTP; the status in it is not the server's
            return classify(MalformedResponseError())
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError, ResponseTooBigError) as error:
            return classify(error)

    async def _body(self, response: "aiohttp.ClientResponse") -> bytes:
        if (response.content_length or 0) > self._size_limit_bytes:
            raise ResponseTooBigError
        body = bytearray()
        async for chunk in response.content.iter_any():
            body += chunk
            if len(body) > self._size_limit_bytes:
                raise ResponseTooBigError
        return bytes(body)


def read_json(body: bytes, fraction: Callable[[str], object] = float) -> object:
    """Strict JSON in UTF-8: no NaN, no key twice in one object, nothing before or after.

    Args:
        body: the answer.
        fraction: what a number with a point becomes; Decimal keeps its digits.

    Raises:
        MalformedResponseError: without any text of the body.
    """
    try:
        text = body.decode("utf-8")
        _refuse_deep(body)
        return json.loads(text, parse_float=fraction, object_pairs_hook=_object, parse_constant=_no_constant)
    except (ValueError, RecursionError):  # cut off, HTML, another encoding, nested a thousand deep
        raise MalformedResponseError from None


def _refuse_deep(body: bytes) -> None:
    if body.count(b"[") + body.count(b"{") <= _DEEPEST:
        return
    if b"\\" not in body:
        # a page of candles is 13,000 strings without a bracket: gone in one go. Two quotes side by side are the end of
        # one string and the beginning of the next, or an empty one: what stands after them is in or out as before
        body = body.translate(None, _NO_STRUCTURE).replace(b'""', b"")
    depth = 0
    for match in _BRACKETS.finditer(body):
        mark = match[0]
        if mark in b"[{":
            depth += 1
            if depth > _DEEPEST:
                raise ValueError("nested too deep")
        elif mark in b"]}":
            depth -= 1


def _object(pairs: list[tuple[str, object]]) -> dict[str, object]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return made


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no JSON")


def _address(url: str, request: Request) -> str:
    if not request.path and not request.query:
        return url
    parts = urlsplit(url)
    path = parts.path.rstrip("/") + request.path if request.path else parts.path
    query = "&".join(part for part in (parts.query, urlencode(request.query)) if part)
    return parts._replace(path=path, query=query).geturl()


async def _error_body(response: "aiohttp.ClientResponse") -> "str | dict[str, object]":
    """What a refusal says: its JSON-RPC error object where it has one, else its text, else nothing."""
    import aiohttp

    body = bytearray()
    try:
        async with asyncio.timeout(_ERROR_BODY_SECONDS):
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > _ERROR_BODY_BYTES:
                    break
    except (aiohttp.ClientError, OSError, TimeoutError):
        pass  # the status stands without it
    try:
        value = read_json(bytes(body))
    except MalformedResponseError:
        return body.decode("utf-8", "replace")
    value = value[0] if isinstance(value, list) and value else value
    error = value.get("error") if isinstance(value, dict) else None
    return error if isinstance(error, dict) else body.decode("utf-8", "replace")
