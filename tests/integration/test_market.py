"""Market data on demand, with the real clients against the local providers and a real queue."""

import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from assets.market import landing, needs
from assets.market.model import Bar, Price, Resolution
from assets.market.refreshing import bring_up_to_date
from assets.market.store import HOLDINGS_CHANNEL, is_work_waiting
from assets.market.tracking import LOOKBACK, PAUSE_AFTER, track
from assets.warehouse.database import Connection, connect, pipeline_lock
from orchestration.settings import find_project_root
from tests.market_holdings import NOW, access_to, hold, work
from tests.pipeline_runs import portfolio, rows, run, write_inputs
from tests.provider_server import COINS, Fault, ProviderServer, provider_server

DAY = timedelta(days=1)
HELD_SINCE = datetime(2025, 10, 16, tzinfo=UTC)


@pytest.fixture
def server() -> Iterator[ProviderServer]:
    with provider_server(NOW.timestamp()) as served:
        yield served


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, autocommit=True) as connection:
        yield connection


def test_what_is_held_gets_its_history_and_its_newest_price_once(conn: Connection, server: ProviderServer) -> None:
    hold(
        conn,
        "crypto:BTC",
        "equity:AAPL",
        "custom:flat",
        since=HELD_SINCE,
        base_currency="fiat:EUR",
        benchmark="etf:SPY",
    )
    access = access_to(server.url)

    first = bring_up_to_date(conn, access, lambda: NOW, 120)

    needed = dict(conn.execute("select instrument_id, needed_for from registry.tracked_instruments").fetchall())
    assert needed == {
        "crypto:BTC": "held", "equity:AAPL": "held", "etf:SPY": "benchmark", "fiat:EUR": "currency",
        "fiat:USD": "currency", "crypto:USDT": "currency",
    }  # fmt: skip
    jobs = {
        row[0]: row[1:]
        for row in conn.execute("select instrument_id, status, source, error from registry.backfill_jobs")
    }
    assert {name: status for name, (status, *_) in jobs.items()} == dict.fromkeys(needed, "done") | {
        "crypto:USDT": "failed"
    }
    # the local exchanges list no dollar price of the stablecoin: told, not silent
    assert "BadSymbol" in jobs["crypto:USDT"][2]
    days = conn.execute(
        "select count(*), count(distinct opened_at), min(opened_at), max(opened_at), max(priced_at) from raw.bars"
        " where instrument_id = 'crypto:BTC' and source = 'binance' and resolution = '1d' and status = 'accepted'"
    ).fetchone()
    last = NOW.replace(hour=0) - DAY
    assert days == (400, 400, HELD_SINCE, last, last + DAY - timedelta(microseconds=1))
    actions = conn.execute(
        "select kind, ratio, amount from raw.source_actions where instrument_id = 'equity:AAPL' order by ex_date"
    )
    assert actions.fetchall()[1] == ("split", Decimal(4), None)
    latest = dict(
        conn.execute(
            "select instrument_id, currency from raw.bars where resolution = 'tick' and source <> 'ecb'"
        ).fetchall()
    )
    assert latest == {
        "crypto:BTC": "crypto:USDT",
        "equity:AAPL": "fiat:USD",
        "etf:SPY": "fiat:USD",
        "fiat:EUR": "fiat:USD",
    }
    assert first.new_rows == conn.execute("select count(*) from raw.bars").fetchone()[0]

    # at once again: nothing is due and nothing is asked; a quarter of an hour later newest prices alone are
    requests = len(server.requests)
    assert bring_up_to_date(conn, access, lambda: NOW, 60).requests == 0
    assert len(server.requests) == requests
    later = bring_up_to_date(conn, access, lambda: NOW + timedelta(minutes=15), 60)
    assert not server.asked("klines")[2:]
    assert {
        asked
        for (asked,) in conn.execute(
            "select asked from ops.fetch_log where fetch_id > (select max(fetch_id) - 4 from ops.fetch_log)"
        )
    } == {"latest"}
    # the peer's clock stands still, so the prices are the same ones: no row changes
    assert later.new_rows == 0
    assert later.latest.prices == 5


def test_a_second_look_changes_nothing_and_a_correction_keeps_what_was_said(conn: Connection) -> None:
    bars = [
        Bar("crypto:BTC", NOW - number * DAY, Resolution.DAY, None, None, None, Decimal(f"100.{number}"), Decimal(5),
            "fiat:USD", "binance")
        for number in range(1, 5)
    ]  # fmt: skip
    odd = [
        Price("crypto:BTC", NOW, Decimal("NaN"), "fiat:USD", "kraken"),
        Price("crypto:BTC", NOW, Decimal(-1), "fiat:USD", "coinbase"),
    ]
    with conn.transaction():
        first = landing.land(conn, [*bars, *odd], (), NOW, "run-1")
    assert (first.changed, first.revised, first.refused) == (6, 0, 2)
    with conn.transaction():
        again = landing.land(conn, [*bars, *odd], (), NOW + DAY, "run-2")
    assert again == landing.Landed()
    assert conn.execute("select count(*) from raw.batches").fetchone() == (3,)

    bars[0] = Bar(
        "crypto:BTC", NOW - DAY, Resolution.DAY, None, None, None, Decimal("100.7"), Decimal(5), "fiat:USD", "binance"
    )
    with conn.transaction():
        corrected = landing.land(conn, bars, (), NOW + DAY, "run-3")
    assert (corrected.changed, corrected.revised) == (1, 1)
    assert conn.execute("select opened_at, close from raw.bar_revisions").fetchall() == [(NOW - DAY, Decimal("100.1"))]
    assert conn.execute("select close from raw.bars where opened_at = %s", [NOW - DAY]).fetchone() == (
        Decimal("100.7"),
    )
    counts_from = conn.execute("select counts_from from raw.batches order by batch_id desc limit 1").fetchone()
    assert counts_from == (NOW - timedelta(microseconds=1),)


def test_two_workers_never_fetch_one_page_twice(database_url: str, conn: Connection, server: ProviderServer) -> None:
    server.latency_seconds = 0.05
    coins = [f"crypto:{coin}" for coin in COINS[:6]]
    conn.execute("insert into registry.price_settings (resolution) values ('1h')")
    hold(conn, *coins, since=NOW - timedelta(days=100))
    access = access_to(server.url, "binance")
    queue_all(conn, server)
    found = []
    workers = [threading.Thread(target=lambda: found.append(work(database_url, access, lanes=3))) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    asked = Counter((query["symbol"], query["startTime"]) for query in server.asked("klines"))
    # 365 days of hours are 8,760 candles: nine pages of a thousand for each of six coins
    assert len(asked) == sum(asked.values()) == 9 * len(coins)
    assert sorted(worked.pages > 0 for worked in found) == [True, True]
    assert sum(worked.pages for worked in found) == 9 * len(coins)
    assert conn.execute(
        "select count(*), sum(landed_rows) from registry.backfill_jobs where status = 'done'"
    ).fetchone() == (6, 6 * 8_760)
    counted = conn.execute("select count(*) from raw.bars group by instrument_id").fetchall()
    assert counted == [(8_760,)] * 6


def queue_all(conn: Connection, server: ProviderServer, *names: str) -> None:
    """Track, without working."""
    import asyncio
    from contextlib import AsyncExitStack

    from assets.market.refreshing import open_sources

    async def queue() -> None:
        async with AsyncExitStack() as stack:
            sources = await open_sources(conn, access_to(server.url, *(names or ("binance",))), lambda: NOW, stack)
            with conn.transaction():
                track(conn, sources, NOW)

    asyncio.run(queue())


def test_a_killed_worker_loses_one_page(database_url: str, conn: Connection, server: ProviderServer) -> None:
    conn.execute("insert into registry.price_settings (resolution) values ('1h')")
    hold(conn, "crypto:BTC")
    queue_all(conn, server)
    server.script("klines", None, None, "hang")
    command = [sys.executable, "-m", "tests.market_holdings", database_url, server.url, "4"]
    worker = subprocess.Popen(command, cwd=find_project_root())
    wait_until(lambda: len(server.asked("klines")) == 3)
    worker.send_signal(signal.SIGKILL)
    worker.wait()

    # two pages are whole, with the cursor right behind them; the third is lost, and leased until the lease ends
    state = "select status, page_cursor, landed_rows from registry.backfill_jobs"
    landed = "select count(*), max(opened_at) + interval '1 hour' from raw.bars"
    (status, cursor, counted), stored = conn.execute(state).fetchone(), conn.execute(landed).fetchone()
    assert (status, counted) == ("running", 2_000)
    assert stored == (2_000, cursor)
    wait_until(
        lambda: conn.execute("select leased_until < clock_timestamp() from registry.backfill_jobs").fetchone()[0]
    )
    work(database_url, access_to(server.url, "binance"), lease=timedelta(seconds=30))

    assert conn.execute(state).fetchone()[0] == "done"
    counted = conn.execute(
        "select count(*), extract(epoch from max(opened_at) - min(opened_at)) / 3600 from raw.bars"
    ).fetchone()
    assert counted[0] == counted[1] + 1 == 400 * 24
    asked = Counter(query["startTime"] for query in server.asked("klines"))
    assert sorted(asked.values())[-2:] == [1, 2]


def wait_until(is_so, seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.05)


def test_a_refusal_goes_to_the_next_source_and_a_busy_one_is_asked_later(
    database_url: str, conn: Connection, server: ProviderServer
) -> None:
    hold(conn, "crypto:BTC", "crypto:ETH", since=NOW - timedelta(days=30))
    access = access_to(server.url, "binance", "coinbase")
    queue_all(conn, server, "binance", "coinbase")
    server.script("klines", "451")
    server.script("candles", Fault(429, "{}", {"Retry-After": "90"}))
    work(database_url, access, lanes=1, seconds=30)

    told = dict(
        conn.execute("select instrument_id, array[status, source, error_kind] from registry.backfill_jobs").fetchall()
    )
    assert told["crypto:ETH"][:2] == ["done", "binance"]
    # refused where it is for good; the next one says for how long it wants to be left alone
    assert told["crypto:BTC"] == ["queued", "coinbase", "rate_limited"]
    wait = conn.execute(
        "select given_up, next_try_at - clock_timestamp() from registry.backfill_jobs where instrument_id = 'crypto:BTC'"
    ).fetchone()
    assert wait[0] == ["binance"]
    assert timedelta(seconds=60) < wait[1] < timedelta(seconds=92)
    outcomes = conn.execute(
        "select source, outcome, failure_kind from ops.fetch_log where outcome = 'failed'"
    ).fetchall()
    assert ("binance", "failed", "auth_or_geo") in outcomes
    conn.execute("update registry.backfill_jobs set next_try_at = now() where status = 'queued'")
    work(database_url, access, seconds=30)
    assert conn.execute(
        "select source, count(*) from raw.bars where instrument_id = 'crypto:BTC' group by source"
    ).fetchall() == [("coinbase", 365)]


def test_what_nobody_serves_fails_with_its_reason(conn: Connection, server: ProviderServer) -> None:
    hold(conn, "crypto:NOBODY", "equity:NOPE")
    bring_up_to_date(conn, access_to(server.url, "binance", "yahoo"), lambda: NOW, 60)
    told = dict(
        conn.execute("select instrument_id, error from registry.backfill_jobs where status = 'failed'").fetchall()
    )
    assert "no source that may be asked has a symbol" in told["crypto:NOBODY"]
    assert told["equity:NOPE"].startswith("yahoo: HTTP 404")
    requests = len(server.requests)
    bring_up_to_date(conn, access_to(server.url, "binance", "yahoo"), lambda: NOW + timedelta(hours=1), 60)
    assert len(server.requests) == requests
    # the owner's word is heard at once
    conn.execute("insert into registry.instruments (instrument, ccxt_symbol) values ('crypto:NOBODY', 'BTC/USDT')")
    bring_up_to_date(conn, access_to(server.url, "binance"), lambda: NOW + timedelta(hours=1), 60)
    assert conn.execute(
        "select status, landed_rows from registry.backfill_jobs where instrument_id = 'crypto:NOBODY'"
    ).fetchall() == [("done", 400)]


def test_an_instrument_pauses_a_week_after_it_was_sold_and_goes_on_where_it_stopped(
    conn: Connection, server: ProviderServer
) -> None:
    hold(conn, "crypto:BTC", "crypto:ETH")
    access = access_to(server.url, "binance")
    bring_up_to_date(conn, access, lambda: NOW, 60)
    sold = "insert into intermediate.ledger_positions (portfolio_id, account_id, instrument_id, valid_from, valid_to, quantity) values ('p', 'main', 'crypto:BTC', '2025-10-16', '2026-11-20', 1)"
    conn.execute(sold)
    newest = "select instrument_id, max(opened_at) from raw.bars where resolution = '1d' group by 1 order by 1"
    midnight = NOW.replace(hour=0)
    # followed for a week; what is paused is asked for no more, and what it has stays
    for days, bitcoin, ether in ((1, 0, 0), (6, 5, 5), (8, 5, 7), (20, 5, 19)):
        later = NOW + timedelta(days=days)
        server.now = later.timestamp()
        bring_up_to_date(conn, access, lambda now=later: now, 60)
        known = [("crypto:BTC", midnight + bitcoin * DAY), ("crypto:ETH", midnight + ether * DAY)]
        assert conn.execute(newest).fetchall() == known
    paused = conn.execute("select instrument_id, paused_at from registry.tracked_instruments where not is_active")
    assert paused.fetchall() == [("crypto:BTC", NOW + timedelta(days=8))]
    conn.execute("update intermediate.ledger_positions set valid_to = null")
    bring_up_to_date(conn, access, lambda: NOW + timedelta(days=20), 60)
    assert [at for _, at in conn.execute(newest)] == [midnight + 19 * DAY] * 2
    windows = conn.execute(
        "select window_start from registry.backfill_jobs where instrument_id = 'crypto:BTC' order by id"
    ).fetchall()
    assert windows[-1] == (midnight + 3 * DAY,)


def test_an_as_of_of_the_past_asks_for_no_more_than_it_needs(conn: Connection, server: ProviderServer) -> None:
    hold(conn, "crypto:BTC", since=NOW - timedelta(days=20))
    as_of = NOW.replace(hour=0) - 10 * DAY
    bring_up_to_date(conn, access_to(server.url, "binance"), lambda: NOW, 60, horizon=as_of, is_present=False)
    assert conn.execute("select resolution, max(opened_at) from raw.bars group by 1").fetchall() == [
        ("1d", as_of - DAY)
    ]
    assert not server.asked("ticker")
    bring_up_to_date(conn, access_to(server.url, "binance"), lambda: NOW, 60)
    counted = conn.execute(
        "select count(*), min(opened_at), max(opened_at) from raw.bars where resolution = '1d'"
    ).fetchone()
    assert counted[0] == (counted[2] - counted[1]).days + 1
    assert counted[2] == NOW.replace(hour=0) - DAY


def test_new_holdings_wake_who_listens_and_are_work_until_they_are_tracked(database_url: str, conn: Connection) -> None:
    assert not is_work_waiting(conn)
    with connect(database_url, autocommit=True) as listener:
        listener.execute(f"listen {HOLDINGS_CHANNEL}".encode())
        with conn.transaction():
            hold(conn, "crypto:BTC")
        assert [one.payload for one in listener.notifies(timeout=5, stop_after=1)] == ["transactions"]
        assert is_work_waiting(conn)
        with conn.transaction():
            needs.write_needs(conn, Resolution.DAY, NOW, NOW - LOOKBACK, PAUSE_AFTER)
        assert not is_work_waiting(conn)
        hold(conn, "crypto:BTC", "crypto:BTC")
        assert not list(listener.notifies(timeout=0.2, stop_after=1))


def test_a_token_that_a_wallet_holds_wakes_too(database_url: str, conn: Connection) -> None:
    hold(conn, "crypto:USDC")
    conn.execute(
        "insert into registry.portfolio_wallets (user_id, portfolio_id, wallet_address, chain_id)"
        " values ('user', 'p', '0x1', 'ethereum')"
    )
    conn.execute(
        "insert into ops.known_instruments (instrument_id, canonical_instrument) values ('eip155:1/a', 'crypto:USDC')"
    )

    def read(instrument: str, amount: int) -> None:
        conn.execute(
            "insert into raw.wallet_balances (read_id, chain, wallet, instrument_id, status, raw_amount)"
            " values (1, 'ethereum', '0x1', %s, case when %s > 0 then 'ok' else 'zero' end, %s)",
            [instrument, amount, amount],
        )

    with conn.transaction():
        needs.write_needs(conn, Resolution.DAY, NOW, NOW - LOOKBACK, PAUSE_AFTER)
    with connect(database_url, autocommit=True) as listener:
        listener.execute(f"listen {HOLDINGS_CHANNEL}".encode())
        read("eip155:1/a", 5)  # has the price of what is tracked already
        read("eip155:1/b", 0)
        assert not list(listener.notifies(timeout=0.2, stop_after=1))
        with conn.transaction():
            needs.write_needs(conn, Resolution.DAY, NOW, NOW - LOOKBACK, PAUSE_AFTER)
        assert not is_work_waiting(conn)
        read("eip155:1/b", 7)
        assert [one.payload for one in listener.notifies(timeout=5, stop_after=1)] == ["wallet_balances"]
        assert is_work_waiting(conn)
        with conn.transaction():
            needs.write_needs(conn, Resolution.DAY, NOW, NOW - LOOKBACK, PAUSE_AFTER)
        assert not is_work_waiting(conn)
    tracked = conn.execute("select instrument_id from registry.tracked_instruments order by 1").fetchall()
    assert ("eip155:1/b",) in tracked


def test_nothing_lands_while_a_run_is_at_work(database_url: str, conn: Connection, server: ProviderServer) -> None:
    hold(conn, "crypto:BTC")
    queue_all(conn, server)
    with pipeline_lock(database_url, "run"):
        work(database_url, access_to(server.url, "binance"), seconds=2)
        assert not server.asked("klines")
    work(database_url, access_to(server.url, "binance"))
    assert conn.execute("select status from registry.backfill_jobs").fetchall() == [("done",)]


def test_a_run_without_price_files_asks_for_its_prices(
    database_url: str, tmp_path, monkeypatch: pytest.MonkeyPatch
) -> None:
    today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    day = (today - 20 * DAY).date()
    inputs = write_inputs(
        tmp_path / "inputs",
        [portfolio("p", base_currency="EUR")],
        [
            f"p,main,{day},DEPOSIT,fiat:EUR,10000,,,,,,,,d1",
            f"p,main,{day},BUY,crypto:BTC,2,150,,EUR,,,,,b1",
            f"p,main,{day},BUY,etf:SPY,3,150,,EUR,,,,,b2",
        ],
    )
    with provider_server() as served:
        monkeypatch.setenv("HOLDFAST_SOURCES", "binance,yahoo,ecb,coingecko")
        for name in ("BINANCE", "YAHOO", "ECB", "COINGECKO"):
            monkeypatch.setenv(f"HOLDFAST_ENDPOINT_{name}", served.url)
        outcome = run(inputs, database_url, tmp_path / "home", as_of=None)
        assert outcome.exit_code == 0, outcome.messages
    told = rows(
        database_url,
        "select source, status, requests from marts.source_freshness where source like 'prices:%%' order by 1",
    )
    assert [(source, status) for source, status, _ in told] == [
        (f"prices:{name}", "ok") for name in ("binance", "coingecko", "ecb", "yahoo")
    ]
    assert all(requests > 0 for *_, requests in told)
    stored = dict(
        rows(
            database_url,
            "select instrument_id || ' ' || currency, count(*) from raw.bars where resolution = '1d' group by 1",
        )
    )
    assert stored["crypto:BTC crypto:USDT"] == 365
    assert {"etf:SPY fiat:USD", "fiat:EUR fiat:USD"} <= set(stored)
    assert rows(database_url, "select status from registry.backfill_jobs where instrument_id = 'crypto:BTC'") == [
        ("done",)
    ]
    # the coin is quoted in a stablecoin, whose own price in dollars came from another source
    valued = rows(
        database_url,
        "select instrument_id, price_source, price_status, value_usd > 0 from marts.portfolio_assets where"
        " instrument_id in ('crypto:BTC', 'etf:SPY') order by 1",
    )
    assert valued == [("crypto:BTC", "binance", "ok", True), ("etf:SPY", "yahoo", "ok", True)]
