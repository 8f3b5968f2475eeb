"""Faults of a provider: none is silent, none loses or doubles a record, none tells the key; and any other exchange of ccxt."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from typing import Any

import pytest

from assets.accounts import any_exchange
from assets.accounts.reading import Reading
from tests.account_server import KEY, SECRET, AccountServer, account_server
from tests.unit.accounts.reading_accounts import NOW, accounts, milliseconds, read, request
from tests.unit.accounts.test_alpaca import fill
from tests.unit.accounts.test_binance import trade

SOURCES = {"binance": "account", "kraken": "Ledgers", "coinbase": "fills", "alpaca": "positions"}


@pytest.fixture
def server() -> Iterator[AccountServer]:
    with account_server() as peer:
        peer.binance_balances, peer.binance_markets = {"BTC": "1"}, {"BTCUSDT": ("BTC", "USDT")}
        peer.binance_trades = {"BTCUSDT": [trade(1)]}
        peer.alpaca_activities = [fill(1)]
        yield peer


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        (source, fault)
        for source in SOURCES
        for fault in ("429", "500", "html", "truncated", "nonce")
        # these two have no nonce
        if fault != "nonce" or source not in ("coinbase", "alpaca")
    ],
)
def test_what_passes_is_asked_again(server: AccountServer, source: str, fault: str) -> None:
    server.fail(SOURCES[source], fault, fault)
    report = read(server, source)
    assert (report.outcome, report.failure) == ("ok", None)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("fault", ["denied", "451", "html", "truncated", "500", "hang", "empty_object"])
def test_what_does_not_pass_is_told_without_the_key(
    server: AccountServer, source: str, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server.fail(SOURCES[source], fault, "*")
    slow: dict[str, Any] = {"request_seconds": 0.3} if fault == "hang" else {}
    report = asyncio.run(accounts(server, **slow).read(request(source)))
    assert report.outcome in ("partial", "failed")
    assert report.failure
    if fault in ("denied", "451"):
        assert "MY_KEY" in report.failure
        assert server.hits.count(next(hit for hit in server.hits if hit.endswith(SOURCES[source]))) == 1
    told = repr(report) + repr(request(source))
    assert f":{server.port}" not in told
    # with every logger at DEBUG, those of the libraries too
    for secret in (KEY, SECRET):
        assert secret not in told + caplog.text


def test_dead_accounts_cost_themselves_alone_and_no_time_of_others(server: AccountServer) -> None:
    server.fail("/0/private/Balance", "hang", "*")
    server.fail("/0/private/Ledgers", "hang", "*")
    requests = [request(source) for source in ("kraken", "binance", "alpaca", "nowhere", "coinbase")]
    reports = asyncio.run(accounts(server, request_seconds=0.3).read_all(requests))
    assert [report.outcome for report in reports] == ["failed", "ok", "ok", "not_supported", "ok"]
    assert "no exchange of ccxt" in (reports[3].failure or "")


def test_a_retry_after_longer_than_the_time_left_ends_the_reading_at_once(server: AccountServer) -> None:
    report = asyncio.run(accounts(server, account_seconds=0.0).read(request("binance")))
    assert (report.outcome, report.requests) == ("failed", 0)
    assert "used up" in (report.failure or "")


def any_reading(pages: list[list[dict[str, Any]]]) -> Reading:
    """A reading of unified trades whose pages begin at `since`, as ccxt's do."""
    every = [record for page in pages for record in page]
    size = len(pages[0])

    class Client:
        def __init__(self) -> None:
            self.has = {"fetchMyTrades": True}

    async def ask(method: str, *arguments: Any) -> Any:
        if method == "fetch_balance":
            return {"total": {"BTC": "1"}}
        if method == "fetch_my_trades":
            return [record for record in every if record["timestamp"] >= arguments[1]][:size]
        return {}

    reading = Reading(request("any"), NOW)
    asyncio.run(any_exchange.read(reading, ask, Client()))
    return reading


def unified(number: int, at: int) -> dict[str, Any]:
    return {
        "id": str(number),
        "timestamp": at,
        "symbol": "BTC/EUR",
        "side": "buy",
        "amount": "0.1",
        "price": "10",
        "cost": "1",
        "fee": {"cost": "0.01", "currency": "EUR"},
    }


def test_unified_pages_overlap_and_lose_nothing_at_their_edges() -> None:
    at = milliseconds("2026-02-01T10:00:00")
    records = [unified(n, at + n // 60) for n in range(2500)]  # 60 of each millisecond, pages of 100
    reading = any_reading([records[n : n + 100] for n in range(0, 2500, 100)])
    report = reading.finish(1)
    assert (report.outcome, len(report.transactions)) == ("ok", 2500)
    assert report.transactions[0] == {
        "executed_at": "2026-02-01T10:00:00Z", "type": "BUY", "instrument": "crypto:BTC", "quantity": "0.1", "amount": "1",
        "currency": "fiat:EUR", "fee": "0.01", "fee_currency": "fiat:EUR", "external_id": "BTC/EUR-0",
    }  # fmt: skip


def test_more_of_one_millisecond_than_a_page_holds_is_an_error_and_no_loss() -> None:
    report = any_reading(
        [
            [unified(n, milliseconds("2026-02-01T10:00:00")) for n in range(100)],
            [unified(100, milliseconds("2026-02-01T10:00:00"))],
        ]
    ).finish(1)
    assert report.outcome == "partial"
    assert "one millisecond" in (report.failure or "")


def test_a_limit_of_one_account_holds_for_all_of_its_provider_and_for_no_other(server: AccountServer) -> None:
    server.fail("account", "banned", "*")
    requests = [request(source, account_id=str(n)) for n, source in enumerate(("binance", "binance", "kraken"))]
    asked = accounts(server)
    first = asyncio.run(asked.read(requests[0]))
    before = len(server.hits)
    second, other = asyncio.run(asked.read_all(requests[1:]))
    assert (first.outcome, second.outcome, other.outcome) == ("failed", "failed", "ok")
    assert all(hit.startswith("/0/") for hit in server.hits[before:])
    assert "left alone" in (second.failure or "")
