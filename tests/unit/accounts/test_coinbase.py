"""Coinbase through the real ccxt: wallets, transactions from the oldest on, conversions in two wallets, fills."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.account_server import AccountServer, account_server
from tests.unit.accounts.reading_accounts import read, told

BTC, ETH, USD = "wallet-btc", "wallet-eth", "wallet-usd"


def wallet(identity: str, code: str, amount: str) -> dict[str, Any]:
    return {
        "id": identity,
        "currency": {"code": code},
        "balance": {"amount": amount, "currency": code},
        "type": "wallet",
    }


@pytest.fixture
def server() -> Iterator[AccountServer]:
    with account_server() as peer:
        peer.coinbase_wallets = [
            wallet(BTC, "BTC", "0.5"),
            wallet(ETH, "ETH", "2.5"),
            wallet(USD, "USD", "100.00"),
            wallet("SOL", "SOL", "0"),
        ]
        yield peer


def moved(identity: str, kind: str, amount: str, code: str, day: int = 1, **fields: Any) -> dict[str, Any]:
    return {
        "id": identity, "type": kind, "status": "completed", "amount": {"amount": amount, "currency": code},
        "native_amount": {"amount": "1.00", "currency": "USD"}, "created_at": f"2026-02-{day:02d}T10:00:00Z", **fields,
    }  # fmt: skip


def fill(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "entry_id": f"e{number:05d}", "trade_id": f"t{number}", "trade_time": "2026-02-05T10:00:00.123456789Z", "trade_type": "FILL",
        "price": "50000.5", "size": "0.001", "commission": "0.25", "product_id": "BTC-USD", "size_in_quote": False, "side": "BUY", **fields,
    }  # fmt: skip


def test_2500_fills_of_one_moment_all_come_and_come_once(server: AccountServer) -> None:
    server.coinbase_fills = [fill(n) for n in range(2500)]
    first = read(server, "coinbase")
    assert (first.outcome, server.refused) == ("ok", [])
    assert told(first, "external_id") == [(f"e{n:05d}",) for n in range(2500)]
    assert told(first, "type", "quantity", "amount", "fee")[0] == ("BUY", "0.001", "50.0005", "0.25")
    assert read(server, "coinbase", first).transactions == []


def test_what_each_transaction_becomes(server: AccountServer) -> None:
    bought = {
        "subtotal": {"amount": "10.10", "currency": "USD"},
        "fee": {"amount": "0.15", "currency": "USD"},
        "total": {"amount": "10.25", "currency": "USD"},
    }
    server.coinbase_transactions = {
        BTC: [
            moved("b1", "send", "0.3", "BTC"), moved("b2", "send", "-0.1", "BTC", 2), moved("b3", "buy", "0.001", "BTC", 3, buy=bought),
            moved("b4", "advanced_trade_fill", "0.1", "BTC", 4), moved("b5", "trade", "-0.05", "BTC", 5, trade={"id": "T5"}),
            moved("b6", "send", "9", "BTC", 6, status="failed"), moved("b7", "surprise", "1", "BTC", 7),
        ],
        ETH: [moved("e5", "trade", "0.9", "ETH", 5, trade={"id": "T5"}), moved("e6", "staking_reward", "0.01", "ETH", 6)],
        USD: [moved("u1", "fiat_deposit", "500.00", "USD"), moved("u2", "buy", "-10.25", "USD", 3), moved("u3", "interest", "0.42", "USD", 8)],
    }  # fmt: skip
    server.coinbase_fills = [
        fill(1, side="SELL", product_id="ETH-BTC", size="100", size_in_quote=True, price="0.05"),
        fill(2, trade_type="CORRECTION"),
    ]
    report = read(server, "coinbase")
    assert report.balances == {"crypto:BTC": "0.5", "crypto:ETH": "2.5", "fiat:USD": "100"}
    assert sorted(told(report, "external_id", "type", "instrument", "quantity", "amount", "fee")) == sorted([
        ("b1", "DEPOSIT", "crypto:BTC", "0.3", "", ""), ("b2", "WITHDRAWAL", "crypto:BTC", "0.1", "", ""),
        ("b3", "BUY", "crypto:BTC", "0.001", "10.1", "0.15"), ("T5-out", "SWAP_OUT", "crypto:BTC", "0.05", "", ""),
        ("T5-in", "SWAP_IN", "crypto:ETH", "0.9", "", ""), ("e6", "STAKING_REWARD", "crypto:ETH", "0.01", "", ""),
        ("u1", "DEPOSIT", "fiat:USD", "500", "", ""), ("u3", "INTEREST", "fiat:USD", "0.42", "", ""),
        ("e00001-out", "SWAP_OUT", "crypto:ETH", "2000", "", ""), ("e00001-in", "SWAP_IN", "crypto:BTC", "100", "", "0.25"),
    ])  # fmt: skip
    assert sorted(w.record_id for w in report.waiting) == ["b7", "e00002"]
    again = read(server, "coinbase", report)
    assert (again.transactions, again.waiting) == ([], report.waiting)


def test_what_is_pending_holds_the_place_and_a_conversion_waits_for_its_other_side(server: AccountServer) -> None:
    server.coinbase_transactions = {
        BTC: [moved("b1", "send", "1", "BTC", status="pending"), moved("b2", "send", "2", "BTC", 2),
              moved("b3", "trade", "-0.05", "BTC", 3, trade={"id": "T3"})],
        ETH: [],
    }  # fmt: skip
    first = read(server, "coinbase")
    assert (told(first, "external_id"), [w.record_id for w in first.waiting]) == ([("b2",)], ["b3"])
    server.coinbase_transactions[BTC][0]["status"] = "completed"
    server.coinbase_transactions[ETH].append(moved("e3", "trade", "0.9", "ETH", 3, trade={"id": "T3"}))
    second = read(server, "coinbase", first)
    assert {row["external_id"] for row in second.transactions} == {"b1", "b2", "T3-out", "T3-in"}
    assert second.waiting == []
    assert read(server, "coinbase", second).transactions == []
