"""Alpaca through the real alpaca-py: activities of every kind, pages, late bookings, positions, the newest state."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from tests.account_server import AccountServer, account_server
from tests.unit.accounts.reading_accounts import accounts, read, request, told


@pytest.fixture
def server() -> Iterator[AccountServer]:
    with account_server() as peer:
        peer.alpaca_cash = "1234.56"
        yield peer


def fill(number: int, at: str = "20260227150000000", **fields: Any) -> dict[str, Any]:
    moment = f"{at[:4]}-{at[4:6]}-{at[6:8]}T{at[8:10]}:{at[10:12]}:{at[12:14]}.{at[14:]}Z"
    return {
        "id": f"{at}::{number:08d}", "activity_type": "FILL", "transaction_time": moment, "type": "fill", "price": "10.50",
        "qty": "2", "side": "buy", "symbol": "AAPL", "leaves_qty": "0", "order_id": "o", "cum_qty": "2", **fields,
    }  # fmt: skip


def other(kind: str, net: str = "0", number: int = 1, day: str = "2026-02-20", **fields: Any) -> dict[str, Any]:
    return {
        "id": f"{day.replace('-', '')}000000000::{kind}{number}", "activity_type": kind, "date": day, "net_amount": net,
        "description": "", "status": "executed", **fields,
    }  # fmt: skip


def test_2500_fills_of_one_millisecond_all_come_and_come_once(server: AccountServer) -> None:
    server.alpaca_activities = [fill(number) for number in range(2500)]
    first = read(server, "alpaca")
    assert first.outcome == "ok", first.failure
    assert len(set(told(first, "external_id"))) == 2500
    assert told(first, "type", "instrument", "quantity", "price", "currency")[0] == (
        "BUY",
        "equity:AAPL",
        "2",
        "10.5",
        "fiat:USD",
    )
    # what is booked late under the id of an earlier day comes too
    server.alpaca_activities.append(
        other("DIV", "1.02", day="2026-02-26", symbol="T", qty="2", per_share_amount="0.51")
    )
    second = read(server, "alpaca", first)
    new = [row for row in second.transactions if row not in first.transactions]
    assert [(r["type"], r["instrument"], r["quantity"], r["currency"]) for r in new] == [
        ("DIVIDEND", "equity:T", "1.02", "fiat:USD")
    ]


def test_what_each_activity_becomes(server: AccountServer) -> None:
    server.alpaca_activities = [
        other("CSD", "5000"), other("CSW", "-100"), other("JNLC", "7", 1), other("FEE", "-0.02"), other("PTR", "0.03"),
        other("INT", "0.4"), other("INT", "-1.5", 2), other("DIV", "3", symbol="SPY"), other("DIVNRA", "-0.45", symbol="SPY"),
        other("CFEE", "0", symbol="BTCUSD", qty="-0.00001", price="60000"), other("JNLS", "0", symbol="BRK.B", qty="3"),
        other("SPLIT", "0", 1, symbol="NVDA", qty="-4"), other("SPLIT", "0", 2, symbol="NVDA", qty="40"),
        fill(1, symbol="BTC/USD", side="sell"), other("CSD", "9", 3, status="canceled"), other("DIV", "0", 2, symbol="SPY"),
        other("MA", "0", symbol="TWTR", qty="-5"), fill(2, symbol="AAPL260116C00150000"), other("SPLIT", "0", 3, symbol="GE", qty="-8"),
        other("NEVER", "1"),
    ]  # fmt: skip
    report = read(server, "alpaca", instruments={"SPY": "etf:SPY"})
    assert sorted(told(report, "type", "instrument", "quantity")) == sorted([
        ("DEPOSIT", "fiat:USD", "5000"), ("WITHDRAWAL", "fiat:USD", "100"), ("DEPOSIT", "fiat:USD", "7"),
        ("FEE", "fiat:USD", "0.02"), ("FEE_REFUND", "fiat:USD", "0.03"), ("INTEREST", "fiat:USD", "0.4"),
        ("INTEREST_CHARGE", "fiat:USD", "1.5"), ("DIVIDEND", "etf:SPY", "3"), ("TAX", "fiat:USD", "0.45"),
        ("FEE", "crypto:BTC", "0.00001"), ("DEPOSIT", "equity:BRK-B", "3"), ("SPLIT", "equity:NVDA", "40:4"),
        ("SELL", "crypto:BTC", "2"),
    ])  # fmt: skip
    # nothing is lost silently: what cannot be read waits, with the reason
    assert sorted(w.value for w in report.waiting) == ["AAPL260116C00150000", "GE", "MA", "NEVER"]
    assert sum(report.ignored.values()) == 2
    assert read(server, "alpaca", report, instruments={"SPY": "etf:SPY"}).waiting == report.waiting


def test_positions_and_cash_are_balances(server: AccountServer) -> None:
    server.alpaca_positions = [
        {"symbol": "AAPL", "qty": "2", "side": "long", "asset_class": "us_equity"},
        {"symbol": "TSLA", "qty": "-3", "side": "short", "asset_class": "us_equity"},
        {"symbol": "ETHUSD", "qty": "0.5", "side": "long", "asset_class": "crypto"},
    ]
    assert read(server, "alpaca").balances == {
        "crypto:ETH": "0.5", "equity:AAPL": "2", "equity:TSLA": "-3", "fiat:USD": "1234.56",
    }  # fmt: skip


def test_the_state_differs_after_a_fill_and_after_a_transfer_and_not_by_prices(server: AccountServer) -> None:
    server.alpaca_positions = [{"symbol": "AAPL", "qty": "2", "side": "long", "market_value": "20"}]

    def state() -> str | None:
        return asyncio.run(accounts(server).state(request("alpaca")))

    before = state()
    server.alpaca_positions[0]["market_value"] = "21"
    assert state() == before == read(server, "alpaca").cursor["state"]
    server.alpaca_cash = "1134.56"
    after = state()
    server.alpaca_activities.append(fill(1))
    assert len({before, after, state()}) == 3
    server.fail("account", "500", "*")
    assert state() is None


def test_interrupted_pages_are_asked_again(server: AccountServer) -> None:
    server.alpaca_activities = [fill(n, f"2026010{1 + n // 100}120000000") for n in range(300)]
    server.faults["account/activities"] = ["ok", "ok", "ok", "denied"]
    first = read(server, "alpaca")
    assert (first.outcome, len(first.transactions)) == ("partial", 200)
    second = read(server, "alpaca", first)
    assert len({row["external_id"] for row in [*first.transactions, *second.transactions]}) == 300
