"""Price providers on this machine: what Binance, Kraken, Coinbase, Yahoo, the ECB, CoinGecko and DefiLlama answer.

For tests and benchmarks of the real clients, which are pointed here by HOLDFAST_ENDPOINT_<SOURCE>. It speaks the
formats that the providers document and that ccxt 4.5.90 and yfinance 1.7 read. Prices are a pure function of symbol and
time, so a test knows them; the clock stands still where the test puts it; faults come by script. `provider_server()`
runs it in a thread; `python -m tests.provider_server` in a process of its own prints its address (benchmarks: its work
must not count as the client's).
"""

import argparse
import asyncio
import csv
import io
import json
import re
import sys
import threading
import time
import zipfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from zlib import crc32
from zoneinfo import ZoneInfo

from aiohttp import web

DAY = 86_400
BINANCE = {"1m": 60, "5m": 300, "15m": 900, "1h": 3_600, "1d": DAY}
COINBASE = {"ONE_MINUTE": 60, "FIVE_MINUTE": 300, "FIFTEEN_MINUTE": 900, "ONE_HOUR": 3_600, "ONE_DAY": DAY}
COINS = tuple(
    [
        "BTC",
        "ETH",
        "SOL",
        "XRP",
        "ADA",
        "DOGE",
        "DOT",
        "LTC",
        "BCH",
        "LINK",
        "AVAX",
        "UNI",
        "ATOM",
        "ETC",
        "XLM",
        "FIL",
        "AAVE",
        "ALGO",
        "NEAR",
        "TRX",
    ]
)
COINGECKO = {"bitcoin": "BTC", "ethereum": "ETH", "tether": "USDT", "usd-coin": "USDC"}
ECB_CURRENCIES = ("USD", "JPY", "GBP", "CHF", "HRK")


def cents(symbol: str, at: int) -> int:
    """The price of anything at any second, in hundredths: between 100.00 and 200.06."""
    return 10_000 + (crc32(symbol.encode()) + at // 60 * 7_919) % 10_007


def price(symbol: str, at: int) -> Decimal:
    """The price of anything at any second."""
    return Decimal(cents(symbol, at)).scaleb(-2)


def candle(symbol: str, opened_at: int, seconds: int) -> tuple[str, str, str, str, str]:
    """Open, high, low, close, volume of a bar, as text with eight decimals."""
    first, last = cents(symbol, opened_at), cents(symbol, opened_at + seconds)
    ends = (first, max(first, last) + 100, min(first, last) - 100, last)
    return *(f"{one // 100}.{one % 100:02}000000" for one in ends), f"{1 + opened_at // seconds % 97}.50000000"


@dataclass
class Fault:
    """One bad answer instead of a good one."""

    status: int = 200
    body: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    keep: float | None = None  # of a good answer: only this share of its bytes
    alter: Callable[[object], object] | None = None  # of a good answer's JSON


HTML = "<!DOCTYPE html><html><body><h1>Scheduled maintenance</h1></body></html>"
FAULTS = {
    "429": Fault(429, '{"code":-1003,"msg":"Too many requests."}', {"Retry-After": "7"}),
    "418": Fault(418, '{"code":-1003,"msg":"Way too many requests; IP banned until 1700000000000."}'),
    "451": Fault(451, '{"code":0,"msg":"Service unavailable from a restricted location."}'),
    "500": Fault(500, "Internal Server Error"),
    "502": Fault(502, HTML),
    "503": Fault(503, "", {"Retry-After": "11"}),
    "html": Fault(200, HTML, {"Content-Type": "text/html"}),
    "truncated": Fault(keep=0.5),
    "empty object": Fault(200, "{}"),
    "null": Fault(200, "null"),
    "no body": Fault(200, ""),
    "hang": Fault(seconds=30.0),
}


@dataclass(frozen=True)
class Listing:
    """One symbol of Yahoo; `splits` new for old, `dividends` as paid on a share of that day."""

    currency: str = "USD"
    kind: str = "EQUITY"
    zone: str = "America/New_York"
    opens: tuple[int, int] = (9, 30)
    closes: tuple[int, int] = (16, 0)
    splits: tuple[tuple[date, int, int], ...] = ()
    dividends: tuple[tuple[date, str], ...] = ()
    missing: tuple[date, ...] = ()  # listed without a price
    pays: date | None = None  # its newest dividend


LISTINGS = {
    "AAPL": Listing(splits=((date(2026, 6, 9), 4, 1),), dividends=((date(2026, 5, 8), "0.84"), (date(2026, 8, 7), "0.26")),
                    pays=date(2026, 8, 13)),
    "SPY": Listing(kind="ETF", dividends=((date(2026, 9, 18), "1.83"),)),
    "VOD.L": Listing("GBp", zone="Europe/London", opens=(8, 0), closes=(16, 30), dividends=((date(2026, 6, 4), "2.25"),)),
    "EURUSD=X": Listing(kind="CURRENCY", zone="Europe/London", opens=(0, 0), closes=(23, 59)),
    "^GSPC": Listing(kind="INDEX"),
    "GC=F": Listing(kind="FUTURE", opens=(0, 0), closes=(23, 59)),
    "GAP": Listing(missing=(date(2026, 11, 11),)),
}  # fmt: skip


class ProviderServer:
    """The server's side of a test: clock, faults, and what was asked.

    Attributes:
        now: the time of its candles and of its Date header, seconds since 1970; None = the real clock.
        latency_seconds: before each answer.
        requests: path and query of each request, in the order they came.
        absent: (symbol, opening) of candles that the market never had.
        kraken_kept: how many candles Kraken keeps.
        coins: listed at each exchange.
    """

    def __init__(self, now: float | None = None, latency_seconds: float = 0.0, coins: Sequence[str] = COINS) -> None:
        self.now, self.latency_seconds, self.coins = now, latency_seconds, tuple(coins)
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.absent: set[tuple[str, int]] = set()
        self.listings = dict(LISTINGS)
        self.kraken_kept = 720
        self.date_skew_seconds = 0.0
        self.on_hang: Callable[[], None] = lambda: None  # called from its thread when an answer begins to hang
        self._script: list[tuple[re.Pattern[str], deque[Fault]]] = []
        self.url = ""

    def time(self) -> float:
        """Its clock."""
        return time.time() if self.now is None else self.now

    def script(self, path: str, *faults: Fault | str | None) -> None:
        """Answer the next requests whose path matches with these faults, in order; None is a good answer."""
        queue = deque(FAULTS[one] if isinstance(one, str) else one or Fault() for one in faults)
        self._script.append((re.compile(path), queue))

    def asked(self, path: str) -> list[dict[str, str]]:
        """The queries of all requests whose path matches."""
        return [query for asked, query in self.requests if re.search(path, asked)]

    def app(self) -> web.Application:
        """All routes; the providers' paths do not overlap."""
        app = web.Application(middlewares=[self._middle])
        get = app.router.add_get
        get("/api/v3/time", self._binance_time)
        get("/api/v3/exchangeInfo", self._binance_markets)
        get("/api/v3/klines", self._binance_candles)
        get("/api/v3/ticker/24hr", self._binance_tickers)
        get("/0/public/AssetPairs", self._kraken_markets)
        get("/0/public/OHLC", self._kraken_candles)
        get("/0/public/Ticker", self._kraken_tickers)
        get("/api/v3/brokerage/market/products", self._coinbase_markets)
        get("/api/v3/brokerage/market/products/{id}/candles", self._coinbase_candles)
        get("/v8/finance/chart/{symbol}", self._yahoo_chart)
        get("/v10/finance/quoteSummary/{symbol}", self._yahoo_calendar)
        get("/v1/test/getcrumb", self._yahoo_crumb)
        get("/", self._yahoo_cookie)
        get("/stats/eurofxref/eurofxref-hist.zip", self._ecb)
        get("/api/v3/simple/price", self._coingecko_prices)
        get("/api/v3/simple/token_price/{platform}", self._coingecko_token_prices)
        get("/api/v3/coins/{coin}/market_chart/range", self._coingecko_range)
        get("/api/v3/coins/{platform}/contract/{coin}/market_chart/range", self._coingecko_range)
        get("/prices/current/{coins}", self._llama_prices)
        get("/chart/{coins}", self._llama_chart)
        return app

    @web.middleware
    async def _middle(self, request: web.Request, handler) -> web.StreamResponse:
        self.requests.append((request.path, dict(request.query)))
        fault = self._fault(request.path)
        wait = self.latency_seconds + (fault.seconds if fault else 0.0)
        if fault is FAULTS["hang"]:
            self.on_hang()
        if wait:
            await asyncio.sleep(wait)
        stamp = datetime.fromtimestamp(self.time() + self.date_skew_seconds, UTC)
        headers = {"Date": format_datetime(stamp, usegmt=True)}
        if fault is not None and (fault.body is not None or fault.status != 200):
            headers |= {"Content-Type": "application/json"} | fault.headers
            return web.Response(status=fault.status, body=(fault.body or "").encode(), headers=headers)
        response = await handler(request)
        response.headers.update(headers)
        if fault is not None and fault.keep is not None:
            response.body = response.body[: int(len(response.body) * fault.keep)]
        if fault is not None and fault.alter is not None:
            response.body = json.dumps(fault.alter(json.loads(response.body))).encode()
        return response

    def _fault(self, path: str) -> Fault | None:
        for pattern, queue in self._script:
            if queue and pattern.search(path):
                return queue.popleft()
        return None

    def _openings(self, symbol: str, start: int, end: int, seconds: int) -> Iterator[int]:
        """Openings from start to end, both included, as far as the clock has come; the last one is open."""
        first = -(-start // seconds) * seconds
        for opened_at in range(first, min(end, int(self.time())) + 1, seconds):
            if (symbol, opened_at) not in self.absent:
                yield opened_at

    # Binance: developers.binance.com, spot REST API

    async def _binance_time(self, _request: web.Request) -> web.Response:
        return web.json_response({"serverTime": int(self.time() * 1_000)})

    async def _binance_markets(self, _request: web.Request) -> web.Response:
        symbols = [
            {
                "symbol": f"{coin}USDT", "status": "TRADING", "baseAsset": coin, "baseAssetPrecision": 8,
                "quoteAsset": "USDT", "quotePrecision": 8, "quoteAssetPrecision": 8, "isSpotTradingAllowed": True,
                "isMarginTradingAllowed": False, "orderTypes": ["LIMIT", "MARKET"], "permissions": ["SPOT"],
                "permissionSets": [["SPOT"]],
                "filters": [
                    {"filterType": "PRICE_FILTER", "minPrice": "0.01", "maxPrice": "1000000.00", "tickSize": "0.01"},
                    {"filterType": "LOT_SIZE", "minQty": "0.00001", "maxQty": "9000.00", "stepSize": "0.00001"},
                ],
            }
            for coin in self.coins
        ]  # fmt: skip
        told = {"timezone": "UTC", "serverTime": int(self.time() * 1_000), "rateLimits": [], "exchangeFilters": []}
        return web.json_response(told | {"symbols": symbols})

    async def _binance_candles(self, request: web.Request) -> web.Response:
        query, symbol = request.query, request.query["symbol"]
        if symbol.removesuffix("USDT") not in self.coins:
            return web.json_response({"code": -1121, "msg": "Invalid symbol."}, status=400)
        seconds, limit = BINANCE[query["interval"]], min(int(query.get("limit", 500)), 1_000)
        start = -(-int(query["startTime"]) // 1_000)
        end = int(query.get("endTime", self.time() * 1_000)) // 1_000
        rows = []
        for at in self._openings(symbol, start, end, seconds):
            if len(rows) == limit:
                break
            *ohlc, volume = candle(symbol, at, seconds)
            rows.append([at * 1_000, *ohlc, volume, (at + seconds) * 1_000 - 1, "0", 10, "0", "0", "0"])
        return web.json_response(rows)

    async def _binance_tickers(self, request: web.Request) -> web.Response:
        now = int(self.time())
        names = (
            json.loads(request.query["symbols"]) if "symbols" in request.query else [f"{one}USDT" for one in self.coins]
        )
        return web.json_response(
            [
                {"symbol": name, "lastPrice": str(price(name, now)), "openTime": (now - DAY) * 1_000,
                 "closeTime": now * 1_000, "volume": "10", "quoteVolume": "1000"}
                for name in names
            ]
        )  # fmt: skip

    # Kraken: docs.kraken.com, market data

    async def _kraken_markets(self, _request: web.Request) -> web.Response:
        pairs = {}
        for coin in self.coins:
            base, quote = {"BTC": ("XXBT", "ZUSD"), "ETH": ("XETH", "ZUSD")}.get(coin, (coin, "ZUSD"))
            pairs[_kraken_id(coin)] = {
                "altname": f"{'XBT' if coin == 'BTC' else coin}USD", "wsname": f"{coin}/USD", "base": base,
                "quote": quote, "aclass_base": "currency", "aclass_quote": "currency", "pair_decimals": 2,
                "lot_decimals": 8, "lot_multiplier": 1, "leverage_buy": [], "leverage_sell": [],
                "fees": [[0, 0.4]], "fees_maker": [[0, 0.25]], "ordermin": "0.0001", "costmin": "0.5",
                "status": "online",
            }  # fmt: skip
        return web.json_response({"error": [], "result": pairs})

    async def _kraken_candles(self, request: web.Request) -> web.Response:
        coin = {_kraken_id(one): one for one in self.coins}.get(request.query["pair"])
        if coin is None:
            return web.json_response({"error": ["EQuery:Unknown asset pair"]})
        seconds, symbol = int(request.query.get("interval", 1)) * 60, f"{coin}/USD"
        now = int(self.time())
        oldest = now // seconds * seconds - (self.kraken_kept - 1) * seconds
        rows = []
        for at in self._openings(symbol, max(int(request.query.get("since", 0)) + 1, oldest), now, seconds):
            *ohlc, volume = candle(symbol, at, seconds)
            rows.append([at, *ohlc, ohlc[0], volume, 10])
        return web.json_response(
            {"error": [], "result": {request.query["pair"]: rows, "last": now // seconds * seconds}}
        )

    async def _kraken_tickers(self, request: web.Request) -> web.Response:
        coins, now = {_kraken_id(one): one for one in self.coins}, int(self.time())
        result = {}
        for pair in request.query["pair"].split(","):
            value = str(price(f"{coins[pair]}/USD", now))
            result[pair] = {
                "a": [value, "1", "1"], "b": [value, "1", "1"], "c": [value, "0.1"], "v": ["1", "2"],
                "p": [value, value], "t": [1, 2], "l": [value, value], "h": [value, value], "o": value,
            }  # fmt: skip
        return web.json_response({"error": [], "result": result})

    # Coinbase: docs.cdp.coinbase.com, advanced trade, public

    async def _coinbase_markets(self, request: web.Request) -> web.Response:
        if request.query.get("product_type") == "FUTURE":
            return web.json_response({"products": [], "num_products": 0})
        now = int(self.time())
        products = [
            {
                "product_id": f"{coin}-USD", "price": str(price(f"{coin}-USD", now)), "base_increment": "0.00000001",
                "quote_increment": "0.01", "quote_min_size": "1", "quote_max_size": "10000000",
                "base_min_size": "0.0001", "base_max_size": "1000", "base_name": coin, "quote_name": "US Dollar",
                "status": "online", "trading_disabled": False, "product_type": "SPOT", "quote_currency_id": "USD",
                "base_currency_id": coin, "volume_24h": "1", "price_percentage_change_24h": "1",
            }
            for coin in self.coins
        ]  # fmt: skip
        asked = request.query.getall("product_ids", [])
        asked = [one for name in asked for one in name.split(",")]
        products = [one for one in products if not asked or one["product_id"] in asked]
        return web.json_response({"products": products, "num_products": len(products)})

    async def _coinbase_candles(self, request: web.Request) -> web.Response:
        product, seconds = request.match_info["id"], COINBASE[request.query["granularity"]]
        if product.removesuffix("-USD") not in self.coins:
            return web.json_response({"error": "NOT_FOUND", "message": "ProductID is invalid"}, status=404)
        start, end = int(request.query["start"]), int(request.query["end"])
        if (end - start) // seconds > 350:
            return web.json_response({"error": "INVALID_ARGUMENT", "message": "too many candles"}, status=400)
        rows = []
        for at in self._openings(product, start, end, seconds):
            opened, high, low, close, volume = candle(product, at, seconds)
            rows.append({"start": str(at), "low": low, "high": high, "open": opened, "close": close, "volume": volume})
        return web.json_response({"candles": rows[::-1]})

    # Yahoo: as yfinance 1.7 reads it

    async def _yahoo_cookie(self, _request: web.Request) -> web.Response:
        return web.Response(status=404, text="Not Found", headers={"Set-Cookie": "A3=d=token; Path=/"})

    async def _yahoo_crumb(self, _request: web.Request) -> web.Response:
        return web.Response(text="crumb.of.test")

    async def _yahoo_calendar(self, request: web.Request) -> web.Response:
        listing = self.listings[request.match_info["symbol"]]
        events: dict[str, object] = {"maxAge": 1, "earnings": {"earningsDate": []}}
        if listing.pays is not None:
            newest, _ = listing.dividends[-1]
            midnights = (
                int(datetime(one.year, one.month, one.day, tzinfo=UTC).timestamp()) for one in (newest, listing.pays)
            )
            events |= dict(zip(("exDividendDate", "dividendDate"), midnights, strict=True))
        return web.json_response({"quoteSummary": {"result": [{"calendarEvents": events}], "error": None}})

    async def _yahoo_chart(self, request: web.Request) -> web.Response:
        symbol, query = request.match_info["symbol"], request.query
        listing = self.listings.get(symbol)
        if listing is None:
            told = {"code": "Not Found", "description": "No data found, symbol may be delisted"}
            return web.json_response({"chart": {"result": None, "error": told}}, status=404)
        zone, now = ZoneInfo(listing.zone), int(self.time())
        start, end = int(query["period1"]), min(int(query["period2"]), now)
        days = list(_weekdays(datetime.fromtimestamp(start, zone).date(), datetime.fromtimestamp(end, zone).date()))
        stamps = []
        for day in days:
            opens, closes = _at(day, listing.opens, zone), _at(day, listing.closes, zone)
            step = BINANCE.get(query["interval"], DAY)
            stamps += [(day, opens)] if step == DAY else [(day, at) for at in range(opens, closes, step)]
        stamps = [(day, at) for day, at in stamps if start <= at <= end]
        quotes: dict[str, list[float | int | None]] = {name: [] for name in ("open", "high", "low", "close", "volume")}
        for day, at in stamps:
            split = listed_split(listing, day)
            opened, high, low, close, volume = candle(symbol, at, BINANCE.get(query["interval"], DAY))
            for name, text in zip(quotes, (opened, high, low, close), strict=False):
                quotes[name].append(None if day in listing.missing else float(Decimal(text) / split))
            quotes["volume"].append(None if day in listing.missing else int(1_000 * split) + int(float(volume)))
        today = datetime.fromtimestamp(now, zone).date()
        while today.weekday() > 4 and listing.kind != "CURRENCY":
            today += timedelta(days=1)
        opens, closes = _at(today, listing.opens, zone), _at(today, listing.closes, zone)
        offset = int(zone.utcoffset(datetime.fromtimestamp(now, zone)).total_seconds())
        period = {"timezone": "T", "start": opens, "end": closes, "gmtoffset": offset}
        meta = {
            "currency": listing.currency, "symbol": symbol, "exchangeName": "TST", "instrumentType": listing.kind,
            "firstTradeDate": 0, "regularMarketTime": min(now, closes), "gmtoffset": offset, "timezone": "T",
            "exchangeTimezoneName": listing.zone, "regularMarketPrice": float(price(symbol, now)),
            "chartPreviousClose": 100.0, "priceHint": 2, "dataGranularity": query["interval"], "range": "",
            "currentTradingPeriod": {"pre": dict(period), "regular": dict(period), "post": dict(period)},
            "validRanges": ["1d", "5d", "1mo", "3mo", "6mo", "1y", "2y", "5y", "10y", "ytd", "max"],
        }  # fmt: skip
        if query["interval"] != "1d":
            meta["tradingPeriods"] = [
                [
                    {
                        "timezone": "T",
                        "start": _at(day, listing.opens, zone),
                        "end": _at(day, listing.closes, zone),
                        "gmtoffset": offset,
                    }
                ]
                for day in days
            ]
        result: dict[str, object] = {"meta": meta, "timestamp": [at for _, at in stamps]}
        later = [sum(ex_date > day for ex_date, _ in listing.dividends) for day, _ in stamps]
        adjusted = [None if one is None else one * 0.99**paid for one, paid in zip(quotes["close"], later, strict=True)]
        result["indicators"] = {"quote": [quotes], "adjclose": [{"adjclose": adjusted}]}
        result["events"] = _yahoo_events(listing, zone, start, end)
        return web.json_response({"chart": {"result": [result], "error": None}})

    # European Central Bank

    async def _ecb(self, _request: web.Request) -> web.Response:
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("eurofxref-hist.csv", ecb_csv(datetime.fromtimestamp(self.time(), UTC).date()))
        return web.Response(body=packed.getvalue(), content_type="application/zip")

    # CoinGecko: docs.coingecko.com, public API v3

    async def _coingecko_prices(self, request: web.Request) -> web.Response:
        known = [one for one in request.query["ids"].split(",") if one in COINGECKO]
        return web.json_response({one: self._coingecko_price(one) for one in known})

    async def _coingecko_token_prices(self, request: web.Request) -> web.Response:
        addresses = request.query["contract_addresses"].split(",")
        if len(addresses) > 1:
            told = {"error_code": 10_012, "error_message": "exceeds the allowed limit of 1 contract address"}
            return web.json_response({"status": told}, status=400)
        return web.json_response({one.lower(): self._coingecko_price(one.lower()) for one in addresses})

    def _coingecko_price(self, name: str) -> dict[str, float | int]:
        return {"usd": float(price(name, int(self.time()))), "last_updated_at": int(self.time()) - 30}

    async def _coingecko_range(self, request: web.Request) -> web.Response:
        coin, start, end = request.match_info["coin"], int(request.query["from"]), int(request.query["to"])
        step = DAY if end - start > 90 * DAY else 3_600
        points = [[at * 1_000, float(price(coin, at))] for at in self._openings(coin, start, end, step)]
        if end >= int(self.time()):
            points.append([int(self.time()) * 1_000, float(price(coin, int(self.time())))])
        return web.json_response({"prices": points, "market_caps": [], "total_volumes": []})

    # DefiLlama: api-docs.defillama.com, coins

    async def _llama_prices(self, request: web.Request) -> web.Response:
        now = int(self.time())
        coins = {
            name: {
                "decimals": 18,
                "symbol": "X",
                "price": float(price(name, now)),
                "timestamp": now - 20,
                "confidence": 0.99,
            }
            for name in request.match_info["coins"].split(",")
            if "unknown" not in name
        }
        return web.json_response({"coins": coins})

    async def _llama_chart(self, request: web.Request) -> web.Response:
        query = request.query
        step, start = {"1d": DAY, "1h": 3_600}[query["period"]], int(query["start"])
        coins = {}
        for name in request.match_info["coins"].split(","):
            prices = [
                {"timestamp": at + 17, "price": float(price(name, at))}
                for at in range(start, start + step * int(query["span"]), step)
                if (name, at) not in self.absent and at <= self.time()
            ]
            coins[name] = {"symbol": "X", "confidence": 0.99, "decimals": 18, "prices": prices}
        return web.json_response({"coins": coins})


def _kraken_id(coin: str) -> str:
    return {"BTC": "XXBTZUSD", "ETH": "XETHZUSD"}.get(coin, f"{coin}USD")


def _weekdays(start: date, end: date) -> Iterator[date]:
    for number in range(start.toordinal(), end.toordinal() + 1):
        if date.fromordinal(number).weekday() < 5:
            yield date.fromordinal(number)


def _at(day: date, clock: tuple[int, int], zone: ZoneInfo) -> int:
    return int(datetime(day.year, day.month, day.day, *clock, tzinfo=zone).timestamp())


def listed_split(listing: Listing, day: date) -> Decimal:
    """By what Yahoo divides the prices of a day: all later splits."""
    factor = Decimal(1)
    for ex_date, new, old in listing.splits:
        if ex_date > day:
            factor = factor * new / old
    return factor


def _yahoo_events(listing: Listing, zone: ZoneInfo, start: int, end: int) -> dict[str, dict[str, object]]:
    events: dict[str, dict[str, object]] = {}
    for ex_date, new, old in listing.splits:
        at = _at(ex_date, listing.opens, zone)
        if start <= at <= end:
            told = {"date": at, "numerator": float(new), "denominator": float(old), "splitRatio": f"{new}:{old}"}
            events.setdefault("splits", {})[str(at)] = told
    for ex_date, paid in listing.dividends:
        at = _at(ex_date, listing.opens, zone)
        if start <= at <= end:
            amount = float(Decimal(paid) / listed_split(listing, ex_date))
            events.setdefault("dividends", {})[str(at)] = {"amount": amount, "date": at}
    return events


def ecb_csv(today: date, days: int = 400) -> str:
    """As eurofxref-hist.csv: newest first, a comma at the end of each line; the kuna ended with 2022."""
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["Date", *ECB_CURRENCIES, ""])
    for day in reversed(list(_weekdays(today - timedelta(days=days), today))):
        at = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
        rates = [str(price(code, at)) if code != "HRK" else "N/A" for code in ECB_CURRENCIES]
        rows.writerow([day.isoformat(), *rates, ""])
    return text.getvalue()


@contextmanager
def provider_server(
    now: float | None = None, latency_seconds: float = 0.0, coins: Sequence[str] = COINS
) -> Iterator[ProviderServer]:
    """Run it in a thread, on a port of its own."""
    server = ProviderServer(now, latency_seconds, coins)
    loop, started = asyncio.new_event_loop(), threading.Event()

    async def serve(stop: asyncio.Event) -> None:
        runner = web.AppRunner(server.app(), access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        server.url = f"http://127.0.0.1:{site._server.sockets[0].getsockname()[1]}"
        started.set()
        await stop.wait()
        await runner.cleanup()
        left = asyncio.all_tasks() - {asyncio.current_task()}  # answers that still hang
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)

    stop = asyncio.Event()
    thread = threading.Thread(target=lambda: loop.run_until_complete(serve(stop)), daemon=True)
    thread.start()
    if not started.wait(10):
        raise RuntimeError("the provider server did not start")
    try:
        yield server
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(10)
        loop.close()


def made_up_coins(count: int) -> tuple[str, ...]:
    """Coins that nobody has: X0001, X0002, …"""
    return tuple(f"X{number:04}" for number in range(1, count + 1))


def main() -> None:
    """Print the address and serve until standard input ends."""
    parser = argparse.ArgumentParser(description="Serve prices on this machine.")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--now", type=float, default=None, help="its clock, seconds since 1970")
    parser.add_argument("--coins", type=int, default=0, help="so many made-up coins, X0001 on, beside the real ones")
    given = parser.parse_args()
    with provider_server(given.now, given.latency, (*COINS, *made_up_coins(given.coins))) as server:
        print(server.url, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
