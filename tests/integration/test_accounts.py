"""Accounts that are asked directly, from the real clients to the marts, and their rows in the database.

Belongs here: landing, idempotence, retraction, what waits, secrets; one whole run. Must not be here: what single records
mean (tests/unit/accounts).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from assets.accounts.model import AccountReport
from assets.accounts.store import Landed, Permitted, broker_states, land, plan, retract_and_admit
from assets.warehouse.database import connect
from orchestration.sensors import changed_broker_accounts
from orchestration.settings import load_settings
from tests.account_server import KEY, SECRET, AccountServer, account_server
from tests.pipeline_runs import portfolio, rows, run, write_inputs
from tests.unit.accounts.reading_accounts import NOW, accounts
from tests.unit.accounts.test_alpaca import fill, other
from tests.unit.accounts.test_binance import trade
from tests.unit.accounts.test_kraken import entry

KEYS = {
    "KRAKEN_KEY": KEY,
    "KRAKEN_SECRET": SECRET,
    "ALPACA_KEY": KEY,
    "ALPACA_SECRET": SECRET,
    "BINANCE_KEY": KEY,
    "BINANCE_SECRET": SECRET,
}
ACCOUNTS = [
    {"id": "kraken", "kind": "exchange", "exchange": "kraken", "credentials_env": "KRAKEN"},
    {"id": "broker", "kind": "broker", "broker": "alpaca", "credentials_env": "ALPACA"},
]


@pytest.fixture
def server() -> Iterator[AccountServer]:
    with account_server() as peer:
        yield peer


@pytest.fixture
def url(database_url: str) -> str:
    with connect(database_url) as conn:
        conn.execute("insert into registry.users values ('u')")
        conn.execute("insert into registry.portfolios (id, user_id, name, base_currency) values ('p', 'u', 'p', 'EUR')")
        conn.execute("insert into registry.accounts values ('p', 'x', 'exchange', 'binance', null, 'BINANCE', true)")
    return database_url


def reading(
    url: str, server: AccountServer, now: datetime = NOW, environ: dict[str, str] = KEYS
) -> tuple[Landed, list[AccountReport]]:
    with connect(url) as conn:
        asked = plan(conn, Permitted(None, environ))
        reports = asyncio.run(accounts(server, now).read_all(asked.requests))
        return land(conn, "run", now, asked, reports), reports


def counting(url: str) -> dict[str, int]:
    query = "select files.kind, count(*) from ops.input_files as files join raw.{0} using (batch_id) group by 1"
    return {kind: dict(rows(url, query.format(kind))).get(kind, 0) for kind in ("transactions", "balances")}


def test_a_second_reading_adds_nothing_and_a_difference_is_all_that_is_added(url: str, server: AccountServer) -> None:
    server.binance_markets = {"BTCEUR": ("BTC", "EUR")}
    server.binance_balances, server.binance_trades = (
        {"BTC": "0.002", "EUR": "10"},
        {"BTCEUR": [trade(1, "BTCEUR"), trade(2, "BTCEUR")]},
    )
    landed, _ = reading(url, server)
    assert (landed.transactions, landed.balances, landed.failed) == (2, 2, 0)
    again, _ = reading(url, server, NOW + timedelta(hours=1))
    assert (again.transactions, again.balances) == (0, 0)
    # all is told anew, as after a lost cursor: nothing is booked twice
    with connect(url) as conn:
        conn.execute("update ops.account_states set cursor = '{}'")
    lost, _ = reading(url, server, NOW + timedelta(hours=2))
    assert (lost.transactions, lost.balances) == (0, 0)
    # a corrected record restates, a coin that is gone is 0, both in new batches beside the old
    server.binance_trades["BTCEUR"][1]["quoteQty"] = "51"
    server.binance_balances.pop("EUR")
    with connect(url) as conn:
        conn.execute("update ops.account_states set cursor = '{}'")
    changed, _ = reading(url, server, NOW + timedelta(hours=3))
    assert (changed.transactions, changed.balances) == (1, 2)
    assert counting(url) == {"transactions": 3, "balances": 4}
    newest = "select instrument_id, quantity from raw.balances order by balance_at desc, instrument_id limit 2"
    assert rows(url, newest) == [("crypto:BTC", Decimal("0.002")), ("fiat:EUR", Decimal(0))]


def test_an_account_takes_its_rows_along_and_brings_them_back(url: str, server: AccountServer) -> None:
    server.binance_balances = {"BTC": "1"}
    reading(url, server)
    for is_active, expected in ((False, 0), (True, 1)):
        with connect(url) as conn:
            conn.execute("update registry.accounts set is_active = %s", [is_active])
            retract_and_admit(conn)
        assert counting(url)["balances"] == expected
    with connect(url) as conn:  # another exchange under the same id begins anew
        conn.execute("update registry.accounts set exchange = 'kraken', credentials_env = 'KRAKEN'")
        assert plan(conn, Permitted(None, KEYS)).requests[0].cursor == {}
        retract_and_admit(conn)
    assert counting(url)["balances"] == 0


def test_what_fails_keeps_its_place_and_says_why_and_what_waits_is_shown_and_resolved(
    url: str, server: AccountServer
) -> None:
    server.binance_markets, server.binance_balances = {"XYZEUR": ("XYZ", "EUR")}, {"XYZ": "5"}
    server.binance_trades = {"XYZEUR": [trade(1, "XYZEUR", commissionAsset="EUR")]}
    reading(url, server)
    shown = "select stream, record_id, value, reason from ops.account_waiting order by 1"
    assert [row[:3] for row in rows(url, shown)] == [("balances", "XYZ", "XYZ"), ("trades", "XYZEUR-1", "XYZ")]
    state = "select outcome, failure, last_success_at, cursor -> 'trades' ->> 'XYZEUR' from ops.account_states"
    reading(url, server, NOW + timedelta(hours=1), {"BINANCE_KEY": KEY})
    assert rows(url, state) == [
        ("no_credentials", "BINANCE_SECRET not set: the account keeps its last state", NOW, "1")
    ]
    server.fail("account", "denied", "*")
    for path in ("hisrec", "history", "orders", "exchangeInfo"):
        server.fail(path, "denied", "*")
    reading(url, server, NOW + timedelta(hours=2))
    [(outcome, failure, success, place)] = rows(url, state)
    assert (outcome, success, place) == ("failed", NOW, "1")
    assert "BINANCE_KEY the right to read balances" in failure
    assert len(rows(url, shown)) == 2
    server.faults.clear()
    with connect(url) as conn:
        conn.execute("insert into registry.instruments (instrument, ccxt_symbol) values ('crypto:XYZ', 'XYZ/EUR')")
    landed, _ = reading(url, server, NOW + timedelta(hours=3))
    assert (landed.transactions, landed.balances, landed.waiting) == (1, 1, 0)
    assert rows(url, shown) == []


def test_sources_that_are_not_allowed_are_not_asked(url: str) -> None:
    with connect(url) as conn:
        for allowed, number in ((None, 1), (("binance", "yahoo"), 1), (("kraken",), 0), ((), 0)):
            assert len(plan(conn, Permitted(allowed, KEYS)).requests) == number


def prepare(server: AccountServer, day: datetime) -> None:
    at = int((day + timedelta(hours=10)).timestamp())
    server.kraken_ledger = {
        "L1": entry("R1", "deposit", "ZEUR", "1000.0000", at=at), "L2": entry("R2", "trade", "ZEUR", "-500.0", "1.0", at + 5.25),
        "L3": entry("R2", "trade", "XXBT", "0.01", at=at + 5.25), "L4": entry("R4", "withdrawal", "XXBT", "-0.001", "0.0001", at + 9),
    }  # fmt: skip
    server.kraken_balances = {"ZEUR": "499.0000", "XXBT": "0.0089", "NEWCOIN": "1"}
    stamp = day.strftime("%Y%m%d")
    server.alpaca_activities = [
        other("CSD", "1000", day=f"{day:%Y-%m-%d}"), fill(1, f"{stamp}150000000"),
        other("DIV", "1.02", day=f"{day:%Y-%m-%d}", symbol="AAPL", qty="2", per_share_amount="0.51"),
    ]  # fmt: skip
    server.alpaca_cash = "980.02"
    server.alpaca_positions = [{"symbol": "AAPL", "qty": "2", "side": "long", "asset_class": "us_equity"}]


def test_accounts_are_published_reconciled_and_a_second_run_adds_nothing(
    database_url: str, tmp_path: Path, server: AccountServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=3)
    prepare(server, day)
    for name, value in {**KEYS, "HOLDFAST_SOURCES": "kraken,alpaca,binance", "HOLDFAST_ENDPOINT_KRAKEN": server.url,
                        "HOLDFAST_ENDPOINT_ALPACA": server.url}.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("BINANCE_SECRET")
    days = [f"{day + timedelta(days=n):%Y-%m-%d}" for n in range(-1, 3)]
    prices = [
        line
        for d in days
        for line in (f"crypto:BTC,{d},50000,EUR", f"equity:AAPL,{d},10.5,USD", f"fiat:EUR,{d},1.1,USD")
    ]
    keyless = {"id": "dead", "kind": "exchange", "exchange": "binance", "credentials_env": "BINANCE"}
    inputs = write_inputs(
        tmp_path / "inputs", [portfolio("p", base_currency="EUR", accounts=[*ACCOUNTS, keyless])], prices=prices
    )

    first = run(inputs, database_url, tmp_path / "home", as_of=None)
    assert first.summary["status"] == "published", first.messages
    assert first.summary["held_portfolios"] == []
    compared = "select account_id, instrument_id, observed_quantity, derived_quantity, status from marts.reconciliation order by 1, 2"
    assert rows(database_url, compared) == [
        ("broker", "equity:AAPL", Decimal(2), Decimal(2), "matched"),
        ("broker", "fiat:USD", Decimal("980.02"), Decimal("980.02"), "matched"),
        ("kraken", "crypto:BTC", Decimal("0.0089"), Decimal("0.0089"), "matched"),
        ("kraken", "fiat:EUR", Decimal(499), Decimal(499), "matched"),
    ]  # fmt: skip
    kinds = "select account_id, type, count(*) from marts.transactions group by 1, 2 order by 1, 2"
    assert rows(database_url, kinds) == [
        ("broker", "BUY", 1), ("broker", "DEPOSIT", 1), ("broker", "DIVIDEND", 1),
        ("kraken", "BUY", 1), ("kraken", "DEPOSIT", 1), ("kraken", "WITHDRAWAL", 1),
    ]  # fmt: skip
    freshness = "select source, status, last_success_at is not null, error from marts.source_freshness where starts_with(source, 'account:') order by 1"
    assert rows(database_url, freshness) == [
        ("account:alpaca", "ok", True, None),
        ("account:binance", "failed", False, "1 of 1 accounts: BINANCE_SECRET not set: the account keeps its last state"),
        ("account:kraken", "ok", True, None),
    ]  # fmt: skip
    warned = "select check_name, first_offenders from marts.data_quality where starts_with(check_name, 'account') and not passed order by 1"
    told = dict(rows(database_url, warned))
    assert set(told) == {"account_records_waiting", "accounts_were_read"}
    assert "NEWCOIN" in told["account_records_waiting"]

    before = counting(database_url)
    second = run(inputs, database_url, tmp_path / "home", as_of=None)
    # at the turn of an hour the same inputs are published again
    assert second.summary["status"] == "unchanged" or (
        datetime.now(UTC).minute < 2 and second.summary["status"] == "published"
    )
    assert counting(database_url) == before
    with connect(database_url) as conn:
        assert set(broker_states(conn)) == {("p", "broker")}
        assert_no_secret(conn, (KEY, SECRET, server.url))
    # the sensor's question: nothing new, then a fill
    settings = load_settings({**os.environ, "HOLDFAST_DATABASE_URL": database_url})
    assert changed_broker_accounts(settings, os.environ) == {}
    server.alpaca_activities.append(fill(2, f"{day:%Y%m%d}160000000"))
    assert list(changed_broker_accounts(settings, os.environ)) == [("p", "broker")]


def assert_no_secret(conn: Any, secrets: tuple[str, ...]) -> None:
    tables = conn.execute(
        "select format('%I.%I', schemaname, tablename) from pg_tables where schemaname in ('raw', 'ops', 'quality', 'registry', 'history')"
    ).fetchall()
    for (table,) in tables:
        for secret in secrets:
            [found] = conn.execute(
                f"select count(*) from {table} as t where position(%s in t::text) > 0".encode(), [secret]
            ).fetchone()
            assert found == 0, (table, secret[:3])
