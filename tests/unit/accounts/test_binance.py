"""Binance through the real ccxt: pages, windows, what is not done yet, fees in a third coin, codes that nobody knows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.account_server import AccountServer, account_server
from tests.unit.accounts.reading_accounts import milliseconds, read, told

AT = milliseconds("2026-02-01T10:00:00")


@pytest.fixture
def server() -> Iterator[AccountServer]:
    with account_server() as peer:
        peer.binance_markets = {
            "BTCUSDT": ("BTC", "USDT"), "BTCEUR": ("BTC", "EUR"), "ETHBTC": ("ETH", "BTC"), "XYZUSDT": ("XYZ", "USDT"),
            "DOGEUSDT": ("DOGE", "USDT"),
        }  # fmt: skip
        peer.binance_balances = {"BTC": "0.50000000"}
        yield peer


def trade(number: int, symbol: str = "BTCUSDT", at: int = AT, **fields: Any) -> dict[str, Any]:
    return {
        "symbol": symbol, "id": number, "orderId": number, "price": "50000.00", "qty": "0.00100000",
        "quoteQty": "50.00000000", "commission": "0.00000100", "commissionAsset": "BTC", "time": at, "isBuyer": True,
        "isMaker": False, "isBestMatch": True, **fields,
    }  # fmt: skip


def deposit(number: str, at: str, status: int = 1, **fields: Any) -> dict[str, Any]:
    moment = milliseconds(at)
    return {
        "id": number,
        "amount": "0.1",
        "coin": "BTC",
        "status": status,
        "insertTime": moment,
        "at": moment,
        **fields,
    }


def test_2500_trades_of_one_millisecond_all_come_and_come_once(server: AccountServer) -> None:
    server.binance_trades["BTCUSDT"] = [trade(number) for number in range(2500)]
    report = read(server, "binance")
    assert report.outcome == "ok", report.failure
    legs = told(report, "external_id", "type")
    assert len(legs) == 5000
    assert {name for name, _ in legs} == {f"BTCUSDT-{n}-{side}" for n in range(2500) for side in ("in", "out")}
    again = read(server, "binance", report)
    assert (again.transactions, again.outcome) == ([], "ok")
    # the balances are those of the last reading, so no market was asked
    assert server.hits.count("/api/v3/myTrades") == 4 + 1  # three pages and the empty one; BTCEUR
    server.binance_balances["BTC"] = "0.6"
    server.binance_trades["BTCUSDT"].append(trade(2500))
    assert {row["external_id"] for row in read(server, "binance", again).transactions} == {
        "BTCUSDT-2500-in",
        "BTCUSDT-2500-out",
    }


def test_a_page_cut_shorter_than_asked_loses_nothing(server: AccountServer) -> None:
    server.page_limit = 7
    server.binance_trades["BTCUSDT"] = [trade(number) for number in range(40)]
    server.binance_deposits = [deposit(f"d{n}", "2026-02-01T10:00:00") for n in range(40)]
    assert len(read(server, "binance").transactions) == 40 * 2 + 40


def test_a_fee_in_a_third_coin_is_a_disposal_of_it(server: AccountServer) -> None:
    server.binance_trades["BTCEUR"] = [trade(7, "BTCEUR", commission="0.0002", commissionAsset="BNB", isBuyer=False)]
    columns = ("external_id", "type", "instrument", "quantity", "amount", "currency", "fee")
    assert told(read(server, "binance"), *columns) == [
        ("BTCEUR-7", "SELL", "crypto:BTC", "0.001", "50", "fiat:EUR", "0.0002"),
    ]
    assert told(read(server, "binance"), "fee_currency", "executed_at") == [("crypto:BNB", "2026-02-01T10:00:00Z")]


def test_deposits_of_all_years_come_in_windows_and_what_is_pending_is_asked_for_until_it_is_done(
    server: AccountServer,
) -> None:
    server.binance_deposits = [
        deposit("old", "2018-01-01T00:00:00"), deposit("new", "2026-02-28T00:00:00"),
        deposit("slow", "2026-02-20T00:00:00", status=0), deposit("wrong", "2026-02-21T00:00:00", status=7),
        deposit("credited", "2026-02-22T00:00:00", status=6),
    ]  # fmt: skip
    server.binance_withdrawals = [
        {"id": "w1", "amount": "0.2", "transactionFee": "0.0005", "coin": "BTC", "status": 6,
         "applyTime": "2026-02-10 08:00:00", "at": milliseconds("2026-02-10T08:00:00")},
        {"id": "w2", "amount": "9", "transactionFee": "0", "coin": "BTC", "status": 2,
         "applyTime": "2026-02-11 08:00:00", "at": milliseconds("2026-02-11T08:00:00")},
    ]  # fmt: skip
    server.binance_fiat = {"0": [{"orderNo": "f1", "fiatCurrency": "EUR", "amount": "100.00", "totalFee": "1.00",
                                  "status": "Successful", "createTime": AT, "updateTime": AT}]}  # fmt: skip
    first = read(server, "binance")
    assert told(first, "external_id", "type", "quantity", "fee") == [
        ("deposit-old", "DEPOSIT", "0.1", ""), ("fiat-f1", "DEPOSIT", "100", ""),
        ("withdrawal-w1", "WITHDRAWAL", "0.2", "0.0005"), ("deposit-credited", "DEPOSIT", "0.1", ""),
        ("deposit-new", "DEPOSIT", "0.1", ""),
    ]  # fmt: skip
    assert first.ignored["deposits not done yet"] == 1
    server.binance_deposits[2] |= {"status": 1}
    server.hits.clear()
    second = read(server, "binance", first)
    assert ("deposit-slow",) in told(second, "external_id")
    assert server.hits.count("/sapi/v1/capital/deposit/hisrec") == 2  # one window, a page and the empty one
    server.hits.clear()
    assert told(read(server, "binance", second), "external_id") == []


def test_an_unknown_code_is_shown_and_waits_until_somebody_says_what_it_is(server: AccountServer) -> None:
    server.binance_balances |= {"XYZ": "5", "LDETH": "2", "LDO": "3"}
    server.binance_trades["XYZUSDT"] = [trade(1, "XYZUSDT", commissionAsset="USDT")]
    first = read(server, "binance")
    assert first.balances == {"crypto:BTC": "0.5", "crypto:ETH": "2", "crypto:LDO": "3"}
    assert first.transactions == []
    assert {(w.stream, w.record_id, w.value) for w in first.waiting} == {
        ("balances", "XYZ", "XYZ"),
        ("trades", "XYZUSDT-1", "XYZ"),
    }
    assert "instruments.csv" in first.waiting[0].remedy
    # the trade is not told again, the record that waits is booked
    second = read(server, "binance", first, instruments={"XYZ": "crypto:XYZ"})
    assert second.balances is not None
    assert second.balances["crypto:XYZ"] == "5"
    assert {row["instrument"] for row in second.transactions} == {"crypto:XYZ", "crypto:USDT"}
    assert second.waiting == []


def test_a_coin_that_only_ever_came_and_went_by_trades_is_found_once_it_is_declared(server: AccountServer) -> None:
    # ETH is in no balance and was never deposited: it was bought for BTC and sold for BTC
    server.binance_trades["ETHBTC"] = [
        trade(1, "ETHBTC", commissionAsset="BNB"), trade(2, "ETHBTC", commissionAsset="BNB", isBuyer=False),
    ]  # fmt: skip
    assert read(server, "binance").transactions == []
    assert len(read(server, "binance", instruments={"ETH": "crypto:ETH"}).transactions) == 4


def test_what_one_page_loses_the_next_reading_brings(server: AccountServer) -> None:
    server.page_limit = 10
    server.binance_trades["BTCUSDT"] = [trade(number) for number in range(30)]
    server.fail("myTrades", "ok", "ok", "451")
    first = read(server, "binance")
    assert (first.outcome, len(first.transactions)) == ("partial", 40)
    assert first.failure is not None
    assert "MY_KEY" in first.failure
    second = read(server, "binance", first)
    assert (second.outcome, len(second.transactions)) == ("ok", 20)
