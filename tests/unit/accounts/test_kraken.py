"""Kraken through the real ccxt: the ledger's pages, the same ids as its export, trades whose sides come apart."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from assets.importers.kraken import KRAKEN_LEDGERS
from assets.importers.model import SourceFile
from assets.importers.symbols import ReviewedSymbols
from tests.account_server import AccountServer, account_server
from tests.unit.accounts.reading_accounts import NOW, read, told

AT = 1769940000  # 2026-02-01T10:00:00Z


@pytest.fixture
def server() -> Iterator[AccountServer]:
    with account_server() as peer:
        yield peer


def entry(
    refid: str, kind: str, asset: str, amount: str, fee: str = "0", at: float = AT, subtype: str = ""
) -> dict[str, Any]:
    return {
        "refid": refid, "time": at, "type": kind, "subtype": subtype, "aclass": "currency", "asset": asset,
        "amount": amount, "fee": fee, "balance": "0",
    }  # fmt: skip


def trades(server: AccountServer, count: int, at: float = AT) -> None:
    for n in range(count):
        server.kraken_ledger[f"L{n:05d}A"] = entry(f"T{n:05d}", "trade", "ZEUR", "-50.0000", "0.1000", at)
        server.kraken_ledger[f"L{n:05d}B"] = entry(f"T{n:05d}", "trade", "XXBT", "0.0010000000", at=at)


def test_5000_entries_of_one_moment_all_come_and_come_once(server: AccountServer) -> None:
    trades(server, 2500)
    first = read(server, "kraken")
    assert first.outcome == "ok", first.failure
    assert told(first, "external_id") == [(f"T{n:05d}",) for n in range(2500)]
    assert {(row["type"], row["quantity"], row["amount"], row["fee"]) for row in first.transactions} == {
        ("BUY", "0.001", "50", "0.1")
    }
    assert server.refused == []
    server.hits.clear()
    assert read(server, "kraken", first).transactions == []
    assert server.hits == ["/0/private/Balance", "/0/private/Ledgers"]


def test_an_interrupted_reading_goes_on_where_it_was_and_a_trade_cut_by_the_page_waits(server: AccountServer) -> None:
    trades(server, 60)
    server.kraken_ledger["L00000"] = entry("D", "deposit", "ZEUR", "10000", at=AT + 5)
    server.fail("Ledgers", "ok", "451")
    first = read(server, "kraken")
    assert (first.outcome, len(first.transactions), len(first.waiting)) == ("partial", 25, 1)
    server.kraken_ledger["L99999"] = entry("D2", "deposit", "ZEUR", "1", at=AT + 3600)  # meanwhile
    server.faults.clear()
    second = read(server, "kraken", first)
    assert second.outcome == "ok"
    ids = {row["external_id"] for row in [*first.transactions, *second.transactions]}
    assert ids == {f"T{n:05d}" for n in range(60)} | {"L00000", "L99999"}


def test_the_other_side_of_a_trade_that_comes_later_completes_it(server: AccountServer) -> None:
    recently = int(NOW.timestamp()) - 60
    trades(server, 1, recently)
    late = server.kraken_ledger.pop("L00000B")
    first = read(server, "kraken")
    assert first.transactions == []
    assert [(w.record_id, w.value) for w in first.waiting] == [("L00000A", "T00000")]
    server.kraken_ledger["L00000B"] = late
    second = read(server, "kraken", first)
    assert (told(second, "external_id", "type"), second.waiting) == ([("T00000", "BUY")], [])


def test_a_ledger_that_tells_fewer_entries_than_it_counts_is_an_error(server: AccountServer) -> None:
    trades(server, 10)
    whole = server._kraken

    def short(path: str, query: dict[str, str]) -> Any:
        answer = whole(path, query)
        if path.endswith("Ledgers"):
            answer["ledger"].pop("L00003A", None)
        return answer

    server._kraken = short  # type: ignore[method-assign]
    report = read(server, "kraken")
    assert report.outcome == "partial"
    assert report.failure is not None
    assert "19 of 20 ledger entries told" in report.failure
    server._kraken = whole  # type: ignore[method-assign]
    assert len(read(server, "kraken", report).transactions) == 10


def test_the_account_and_its_export_give_the_same_ids(server: AccountServer) -> None:
    server.kraken_ledger = {
        "L1": entry("R1", "deposit", "ZEUR", "1000.0000", "1.0000"), "L2": entry("R2", "withdrawal", "XXBT", "-0.10", "0.0005", AT + 9),
        "L3": entry("R3", "trade", "ZEUR", "-50.0", "0.1", AT + 5), "L4": entry("R3", "trade", "XXBT", "0.001", "0", AT + 5),
        "L5": entry("R5", "earn", "XETH.M", "0.01", "0", AT + 7, "reward"), "L6": entry("R6", "transfer", "SOL", "-1", "0", AT + 8, "spottostaking"),
        "L7": entry("R7", "trade", "ZUSD", "10", "0", AT + 6), "L8": entry("R7", "trade", "USDT", "-10.01", "0", AT + 6),
    }  # fmt: skip
    lines = ['"txid","refid","time","type","subtype","aclass","asset","amount","fee","balance"']
    for txid, record in server.kraken_ledger.items():
        second = int(record["time"]) - AT
        values = [
            txid,
            record["refid"],
            f"2026-02-01 10:00:{second:02d}",
            *(record[n] for n in ("type", "subtype", "aclass", "asset", "amount", "fee", "balance")),
        ]
        lines.append(",".join(f'"{value}"' for value in values))
    exported = KRAKEN_LEDGERS.parse(SourceFile(Path("ledgers.csv"), "\n".join(lines)), ReviewedSymbols())
    rows = sorted((row.values for row in exported.rows), key=lambda row: (row["executed_at"], row["external_id"]))
    report = read(server, "kraken")
    assert report.transactions == rows
    assert len(rows) == 5
    assert report.ignored == {
        "joined with another entry": 2,
        "spottostaking: the same coin in another wallet of this account": 1,
    }


def test_balances_of_all_forms_of_a_coin_are_one_and_unknown_ones_are_shown(server: AccountServer) -> None:
    server.kraken_balances = {
        "XXBT": "0.5",
        "XBT.M": "0.25",
        "ZEUR": "10.0000",
        "KFEE": "99",
        "NEWCOIN": "3",
        "XXRP": "0.0000",
    }
    report = read(server, "kraken")
    assert report.balances == {"crypto:BTC": "0.75", "fiat:EUR": "10"}
    assert [(w.stream, w.value) for w in report.waiting] == [("balances", "NEWCOIN")]
    server.kraken_balances.pop("NEWCOIN")
    assert read(server, "kraken", report).waiting == []
