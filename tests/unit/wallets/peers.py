"""Local servers that speak Esplora's API and Solana's JSON-RPC as documented, and fail as told.

Belongs here: their state, their answers, the faults. Must not be here: what our readers should make of them.
"""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from aiohttp import web

from assets.network.budget import Deadline, Hosts
from assets.network.endpoints import endpoints_of
from assets.network.hedging import Network
from assets.network.http import Http
from assets.registry.base58 import decode
from assets.registry.other_chains import other_chains
from assets.wallets.model import ChainReport, ChainRequest

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Peer:
    """A server on a port of its own. `fault` is asked before each answer; what it names happens instead of it."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.fault: Callable[[str], str | None] = lambda _: None
        self.port = 0
        self.closing = asyncio.Event()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        question = json.loads(body)["method"] if body else request.path.removeprefix("/api")
        self.asked.append(question)
        match self.fault(question):
            case None:
                return self.told(question, json.loads(body) if body else {})
            case "429":
                return web.Response(status=429, headers={"Retry-After": "60"}, text="slow down")
            case "html":
                return web.Response(text="<html>0</html>", content_type="text/html")
            case "cut":
                whole = self.told(question, json.loads(body) if body else {})
                return web.Response(text=(whole.text or "")[:-5])
            case "hang":
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.closing.wait(), 30)
                return web.Response()
            case other:
                return web.Response(status=int(other), text="no")

    def told(self, question: str, body: Any) -> web.Response:
        raise NotImplementedError


class Esplora(Peer):
    """Blocks by height; balances as (funded, spent, funded in the mempool). `moves`: before which tips a block comes."""

    def __init__(self) -> None:
        super().__init__()
        self.hashes = [other_chains()["bitcoin"].genesis_hash, *(f"{height:064x}" for height in range(1, 101))]
        self.head_at = NOW - timedelta(minutes=7)
        self.balances: dict[str, tuple[int, int, int]] = {}
        self.moves: set[int] = set()

    def told(self, question: str, body: Any) -> web.Response:
        match question.strip("/").split("/"):
            case ["blocks", "tip", "hash"]:
                if self.asked.count(question) in self.moves:
                    self.hashes.append(f"{len(self.hashes):064x}")
                    self.balances = {name: (funded + 1, *rest) for name, (funded, *rest) in self.balances.items()}
                return web.Response(text=self.hashes[-1])
            case ["block-height", height]:
                if int(height) >= len(self.hashes):
                    return web.Response(status=404, text="Block not found")
                return web.Response(text=self.hashes[int(height)])
            case ["block", digest]:
                height, time = self.hashes.index(digest), int(self.head_at.timestamp())
                return web.json_response({"id": digest, "height": height, "timestamp": time, "tx_count": 1})
            case ["address", address]:
                funded, spent, pending = self.balances.get(address, (0, 0, 0))
                return web.json_response(
                    {
                        "address": address,
                        "chain_stats": {"funded_txo_sum": funded, "spent_txo_sum": spent, "tx_count": 1},
                        "mempool_stats": {"funded_txo_sum": pending, "spent_txo_sum": 0, "tx_count": 1},
                    }
                )
            case _:
                return web.Response(status=400, text="Invalid Bitcoin address")


class Solana(Peer):
    """Accounts as (lamports, program, data). `slots`: what the next answers say their slot is; then `slot`."""

    def __init__(self) -> None:
        super().__init__()
        self.genesis = other_chains()["solana"].genesis_hash
        self.slot = 1_000
        self.slots: list[int] = []
        self.head_at = NOW - timedelta(seconds=15)
        self.accounts: dict[str, tuple[int, str, bytes]] = {}
        self.is_ignoring_minimum = False

    def told(self, question: str, body: Any) -> web.Response:
        result = getattr(self, f"told_{question}")(*body["params"])
        outcome = "error" if isinstance(result, dict) and "code" in result else "result"
        return web.json_response({"jsonrpc": "2.0", "id": body["id"], outcome: result})

    def told_getGenesisHash(self) -> str:  # noqa: N802
        return self.genesis

    def told_getSlot(self, options: dict[str, Any]) -> int:  # noqa: N802
        assert options == {"commitment": "finalized"}
        return self.slot

    def told_getBlock(self, slot: int, options: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        if slot > self.slot:
            return {"code": -32004, "message": f"Block not available for slot {slot}"}
        return {"blockhash": "1" * 31 + chr(ord("A") + slot % 8), "blockTime": int(self.head_at.timestamp())}

    def told_getMultipleAccounts(self, addresses: list[str], options: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        assert len(addresses) <= 100
        return self._at(options, [self._account(address, options) for address in addresses])

    def told_getTokenAccountsByOwner(  # noqa: N802
        self, owner: str, filter_: dict[str, str], options: dict[str, Any]
    ) -> dict[str, Any]:
        found = [
            {"pubkey": name, "account": self._account(name, options)}
            for name, (_, program, data) in self.accounts.items()
            if program == filter_["programId"] and len(data) >= 165 and data[32:64] == decode(owner)
        ]
        return self._at(options, found)

    def _account(self, address: str, options: dict[str, Any]) -> dict[str, Any] | None:
        if address not in self.accounts:
            return None
        lamports, program, data = self.accounts[address]
        if cut := options.get("dataSlice"):
            data = data[cut["offset"] : cut["offset"] + cut["length"]]
        shown = [base64.b64encode(data).decode(), "base64"]
        return {"lamports": lamports, "owner": program, "data": shown, "executable": False, "space": len(data)}

    def _at(self, options: dict[str, Any], value: object) -> dict[str, Any]:
        assert (options["commitment"], options["encoding"]) == ("finalized", "base64")
        slot = self.slots.pop(0) if self.slots else self.slot
        if slot < options["minContextSlot"] and not self.is_ignoring_minimum:
            return {
                "code": -32016,
                "message": "Minimum context slot has not been reached",
                "data": {"contextSlot": slot},
            }
        return {"context": {"slot": slot, "apiVersion": "2.1.21"}, "value": value}


@asynccontextmanager
async def serving(*peers: Peer) -> AsyncIterator[list[str]]:
    """Addresses of the peers, in order."""
    async with AsyncExitStack() as stack:
        urls = []
        for peer in peers:
            application = web.Application()
            application.router.add_route("*", "/{path:.*}", peer.answer)
            runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            stack.callback(peer.closing.set)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            peer.port = runner.addresses[0][1]
            urls.append(f"http://127.0.0.1:{peer.port}" + ("/api" if isinstance(peer, Esplora) else ""))
        yield urls


Reader = Callable[..., Awaitable[ChainReport]]


def read(reader: Reader, request: ChainRequest, *peers: Peer, seconds: float = 3.0) -> ChainReport:
    """Read a request from the peers, the first of them preferred, within so many seconds."""

    async def work() -> ChainReport:
        clock = asyncio.get_running_loop().time
        async with serving(*peers) as urls, Http() as http:
            network = Network(http.send, Hosts(clock), clock, Random(7))
            chain = other_chains()[request.chain]
            return await reader(request, chain, endpoints_of(urls), network, Deadline(clock, seconds), lambda: NOW)

    return asyncio.run(work())


def always(fault: str, *questions: str) -> Callable[[str], str | None]:
    """The fault for these questions (beginnings of them), or for all."""
    return lambda question: fault if question.startswith(tuple(questions) or ("",)) else None


def amounts(report: ChainReport) -> Sequence[tuple[str, int | None]]:
    """Status and amount of each cell."""
    return [(cell.status.value, cell.amount) for cell in report.cells]
