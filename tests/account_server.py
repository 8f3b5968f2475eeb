"""A local peer that speaks the private endpoints of Binance, Kraken, Coinbase and Alpaca, to which the real clients are pointed.

Belongs here: the documented requests that the connectors make, their signatures, page limits, and faults on demand. Must
not be here: expectations of tests.

Sources: developers.binance.com (HMAC-SHA256 of the query string), docs.kraken.com (HMAC-SHA512 of path and SHA256 of nonce
and body), docs.cdp.coinbase.com (legacy keys: HMAC-SHA256 of time stamp, method, path and body), docs.alpaca.markets.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

KEY = "PKtestkey0000000000"
SECRET = base64.b64encode(b"a secret that no test may ever see anywher").decode()
KRAKEN_PAGE, ALPACA_PAGE, COINBASE_PAGE = 50, 100, 25
HANG_SECONDS = 30


@dataclass
class AccountServer:
    """What the providers hold; a test fills it, before or while it is asked."""

    port: int = 0
    # Binance
    binance_balances: dict[str, str] = field(default_factory=dict)
    binance_markets: dict[str, tuple[str, str]] = field(default_factory=dict)
    binance_trades: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    binance_deposits: list[dict[str, Any]] = field(default_factory=list)
    binance_withdrawals: list[dict[str, Any]] = field(default_factory=list)
    binance_fiat: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    # Kraken: ledger entries by id
    kraken_balances: dict[str, str] = field(default_factory=dict)
    kraken_ledger: dict[str, dict[str, Any]] = field(default_factory=dict)
    # Coinbase: transactions by wallet, oldest first
    coinbase_wallets: list[dict[str, Any]] = field(default_factory=list)
    coinbase_transactions: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    coinbase_fills: list[dict[str, Any]] = field(default_factory=list)
    # Alpaca
    alpaca_cash: str = "0"
    alpaca_positions: list[dict[str, Any]] = field(default_factory=list)
    alpaca_activities: list[dict[str, Any]] = field(default_factory=list)
    alpaca_buying_power: str | None = None
    # by client order id; a test fills them by changing status, filled_qty and filled_avg_price
    alpaca_orders: dict[str, dict[str, Any]] = field(default_factory=dict)

    page_limit: int = 1000
    closing: threading.Event = field(default_factory=threading.Event)
    faults: dict[str, list[str]] = field(default_factory=dict)
    hits: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    last_nonce: int = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def endpoints(self) -> dict[str, str]:
        return dict.fromkeys(("binance", "kraken", "coinbase", "alpaca", "bitstamp"), self.url)

    def fail(self, path: str, *faults: str) -> None:
        """Answer the next requests of a path (its end) with faults, one each; `*` as the last goes on for ever."""
        self.faults[path] = list(faults)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        path, body = request.path, await request.text()
        self.hits.append(path)
        for ending, faults in self.faults.items():
            if path.endswith(ending) and faults:
                fault = faults[0] if faults[-1] == "*" else faults.pop(0)
                if fault == "lost":  # taken, and the answer never comes
                    self._take_order(body)
                    fault = "hang"
                if fault != "ok":
                    return await self._fault(fault, path)
        if problem := self._unsigned(request, body):
            self.refused.append(f"{path}: {problem}")
            return self._refusal(path)
        query = dict(request.query) | dict(parse_qsl(body))
        if path.startswith("/api/v3/brokerage") or path.startswith("/v2/accounts"):
            return web.json_response(self._coinbase(path, query))
        if path.startswith(("/api/", "/sapi/")):
            return web.json_response(self._binance(path, query))
        if path.startswith("/0/"):
            return web.json_response({"error": [], "result": self._kraken(path, query)})
        if path.startswith("/v2/orders"):
            status, found = self._take_order(body) if request.method == "POST" else self._order(query)
            return web.json_response(found, status=status)
        if path.startswith("/v2/"):
            return web.json_response(self._alpaca(path, query))
        return web.Response(status=404, text="no such path")

    async def _fault(self, fault: str, path: str) -> web.StreamResponse:
        if fault == "hang":
            for _ in range(HANG_SECONDS * 50):
                if self.closing.is_set():
                    break
                await asyncio.sleep(0.02)
            return web.Response()
        if fault == "html":
            return web.Response(text="<html><body>We are down for maintenance</body></html>", content_type="text/html")
        if fault == "truncated":
            return web.Response(text='{"balances": [{"asset": "BT', content_type="application/json")
        if fault == "empty_object":
            return web.json_response({"error": []})
        if fault == "429":
            return web.Response(status=429, headers={"Retry-After": "0"}, text="too many")
        if fault == "banned":
            return web.json_response({"code": -1003, "msg": "Way too much request weight used; IP banned"}, status=418)
        if fault == "451":
            return web.Response(status=451, text="Service unavailable from a restricted location")
        if fault == "500":
            return web.Response(status=500, text="oops")
        if fault == "422":
            return web.json_response({"code": 42210000, "message": f"unprocessable {KEY}"}, status=422)
        if fault == "nonce":
            if path.startswith("/0/"):
                return web.json_response({"error": ["EAPI:Invalid nonce"]})
            return web.json_response(
                {"code": -1021, "msg": "Timestamp for this request is outside of the recvWindow."}, status=400
            )
        assert fault == "denied", fault
        return self._refusal(path)

    def _refusal(self, path: str) -> web.Response:
        # some providers echo the key; it must not come out anywhere
        if path.startswith("/0/"):
            return web.json_response({"error": ["EGeneral:Permission denied", KEY]})
        if path.startswith(("/api/v3/brokerage", "/v2/accounts")):
            return web.json_response(
                {"errors": [{"id": "invalid_scope", "message": f"Invalid scope {KEY}"}]}, status=403
            )
        if path.startswith("/v2/"):
            return web.json_response({"code": 40310000, "message": f"forbidden {KEY}"}, status=403)
        return web.json_response({"code": -2015, "msg": "Invalid API-key, IP, or permissions for action."}, status=401)

    def _unsigned(self, request: web.Request, body: str) -> str:
        """What is wrong with the signature; "" where it is right, or the request public."""
        path, headers, secret = request.path, request.headers, SECRET.encode()
        if path in ("/api/v3/exchangeInfo", "/api/v3/time"):
            return ""
        if path.startswith(("/api/v3/brokerage", "/v2/accounts")):
            query = "?" + request.query_string if path.startswith("/v2/") and request.query_string else ""
            text = headers.get("CB-ACCESS-TIMESTAMP", "") + request.method + path + query + body
            wanted = hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()
            is_right = headers.get("CB-ACCESS-SIGN") == wanted and headers.get("CB-ACCESS-KEY") == KEY
        elif path.startswith(("/api/", "/sapi/")):
            query, _, signature = request.query_string.rpartition("&signature=")
            wanted = hmac.new(secret, query.encode(), hashlib.sha256).hexdigest()
            is_right = signature == wanted and headers.get("X-MBX-APIKEY") == KEY
        elif path.startswith("/0/"):
            nonce = dict(parse_qsl(body)).get("nonce", "0")
            digest = hashlib.sha256((nonce + body).encode()).digest()
            wanted = base64.b64encode(
                hmac.new(base64.b64decode(SECRET), path.encode() + digest, hashlib.sha512).digest()
            ).decode()
            is_right = (
                headers.get("API-Sign") == wanted and headers.get("API-Key") == KEY and int(nonce) > self.last_nonce
            )
            self.last_nonce = max(self.last_nonce, int(nonce))
        else:
            is_right = headers.get("APCA-API-KEY-ID") == KEY and headers.get("APCA-API-SECRET-KEY") == SECRET
        return "" if is_right else "wrong signature"

    def _binance(self, path: str, query: dict[str, str]) -> Any:
        if path == "/api/v3/time":
            import time

            return {"serverTime": int(time.time() * 1000)}
        if path == "/api/v3/account":
            held = [{"asset": a, "free": q, "locked": "0.00000000"} for a, q in self.binance_balances.items()]
            return {"canTrade": True, "accountType": "SPOT", "balances": held}
        if path == "/api/v3/exchangeInfo":
            symbols = [
                {"symbol": s, "status": "TRADING", "baseAsset": b, "quoteAsset": q}
                for s, (b, q) in self.binance_markets.items()
            ]
            return {"timezone": "UTC", "symbols": symbols}
        if path == "/api/v3/myTrades":
            limit = min(int(query.get("limit", 500)), self.page_limit)
            trades = sorted(self.binance_trades.get(query["symbol"], []), key=lambda t: t["id"])
            return [t for t in trades if t["id"] >= int(query["fromId"])][:limit]
        if path == "/sapi/v1/fiat/orders":
            orders = self.binance_fiat.get(query["transactionType"], [])
            start = (int(query["page"]) - 1) * int(query["rows"])
            inside = [o for o in orders if int(query["beginTime"]) <= o["createTime"] <= int(query["endTime"])]
            return {
                "code": "000000",
                "message": "success",
                "data": inside[start : start + int(query["rows"])],
                "total": len(inside),
                "success": True,
            }
        start, end, offset = (int(query[name]) for name in ("startTime", "endTime", "offset"))
        assert end - start <= 90 * 86_400_000, "Binance refuses windows above 90 days"
        records = self.binance_deposits if path.endswith("deposit/hisrec") else self.binance_withdrawals
        inside = [r for r in records if start <= r["at"] <= end]
        inside.sort(key=lambda r: r["at"], reverse=True)
        return [
            {k: v for k, v in r.items() if k != "at"}
            for r in inside[offset : offset + min(int(query["limit"]), self.page_limit)]
        ]

    def _kraken(self, path: str, query: dict[str, str]) -> Any:
        if path.endswith("/Balance"):
            return self.kraken_balances
        assert path.endswith("/Ledgers"), path
        inside = [(i, e) for i, e in self.kraken_ledger.items() if int(query["start"]) < e["time"] <= int(query["end"])]
        inside.sort(key=lambda pair: (pair[1]["time"], pair[0]), reverse=True)
        offset = int(query["ofs"])
        return {"ledger": dict(inside[offset : offset + KRAKEN_PAGE]), "count": len(inside)}

    def _coinbase(self, path: str, query: dict[str, str]) -> Any:
        if path.endswith("/fills"):
            start = int(query.get("cursor", 0))
            inside = [
                f
                for f in self.coinbase_fills
                if query["start_sequence_timestamp"] <= f["trade_time"] <= query["end_sequence_timestamp"]
            ]
            page = inside[start : start + COINBASE_PAGE]
            return {"fills": page, "cursor": str(start + COINBASE_PAGE) if start + COINBASE_PAGE < len(inside) else ""}
        if path == "/v2/accounts":
            records, order = self.coinbase_wallets, "desc"
        else:
            records, order = self.coinbase_transactions.get(path.split("/")[3], []), query.get("order", "desc")
            records = records if order == "asc" else records[::-1]
        after = query.get("starting_after")
        start = next((n + 1 for n, r in enumerate(records) if r["id"] == after), 0) if after else 0
        return {"pagination": {"order": order, "limit": COINBASE_PAGE}, "data": records[start : start + COINBASE_PAGE]}

    def _alpaca(self, path: str, query: dict[str, str]) -> Any:
        if path == "/v2/account":
            account = {"id": "904837e3", "status": "ACTIVE", "currency": "USD", "cash": self.alpaca_cash}
            return account | ({"buying_power": self.alpaca_buying_power} if self.alpaca_buying_power else {})
        if path == "/v2/positions":
            return self.alpaca_positions
        is_rising = query.get("direction", "desc") == "asc"
        records = sorted(self.alpaca_activities, key=lambda r: r["id"], reverse=not is_rising)
        if "after" in query:
            floor = "".join(c for c in query["after"] if c.isdigit())[:14]
            records = [r for r in records if r["id"][:14] > floor]
        if "page_token" in query:
            token = query["page_token"]
            records = [r for r in records if (r["id"] > token if is_rising else r["id"] < token)]
        return records[: min(int(query.get("page_size", 100)), ALPACA_PAGE)]

    def _order(self, query: dict[str, str]) -> tuple[int, dict[str, Any]]:
        order = self.alpaca_orders.get(query["client_order_id"])
        return (200, order) if order else (404, {"code": 40410000, "message": f"order not found {KEY}"})

    def _take_order(self, body: str) -> tuple[int, dict[str, Any]]:
        """As docs.alpaca.markets, "Create an Order": an id is taken once."""
        order = json.loads(body)
        name = order["client_order_id"]
        if name in self.alpaca_orders:
            return 422, {"code": 40010001, "message": "client_order_id must be unique"}
        taken = {"id": f"order-{len(self.alpaca_orders) + 1}", "status": "accepted", "filled_qty": "0"}
        self.alpaca_orders[name] = order | taken | {"filled_avg_price": None}
        return 200, self.alpaca_orders[name]


@contextmanager
def account_server() -> Iterator[AccountServer]:
    """A running server in a thread of its own, so that clients with loops of their own may ask it."""
    server, loop = AccountServer(), asyncio.new_event_loop()
    started = threading.Event()

    async def serve() -> None:
        application = web.Application()
        application.router.add_route("*", "/{path:.*}", server.answer)
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        server.port = runner.addresses[0][1]
        started.set()
        while not server.closing.is_set():
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.03)  # what hangs ends by itself
        await runner.cleanup()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()), daemon=True)
    thread.start()
    assert started.wait(10)
    try:
        yield server
    finally:
        server.closing.set()
        thread.join(10)
        loop.close()
