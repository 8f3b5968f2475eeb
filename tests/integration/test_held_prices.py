"""A held price asks a second source by itself, which confirms or refutes it."""

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal

import pytest

import tests.provider_server as providers
from assets.market.refreshing import bring_up_to_date
from assets.warehouse.database import Connection, connect
from tests.market_holdings import NOW, access_to, hold
from tests.provider_server import DAY, Fault, ProviderServer, provider_server

MIDNIGHT = NOW.replace(hour=0)
LAST = MIDNIGHT - timedelta(days=1)
BARS = (
    "select source, status, reason, close from raw.bars where instrument_id = 'crypto:BTC' and resolution = %s"
    " and opened_at >= %s order by source"
)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[ProviderServer]:
    """Kraken and Coinbase with the same quiet prices."""
    monkeypatch.setattr(providers, "cents", lambda _symbol, at: 10_000 + at // DAY % 7 * 100)
    with provider_server(NOW.timestamp()) as served:
        yield served


@pytest.fixture
def conn(database_url: str) -> Iterator[Connection]:
    with connect(database_url, autocommit=True) as connection:
        yield connection


def tripled(told: dict) -> dict:
    """The last closed bar of Kraken's answer at three times its prices; the bar after it is still open."""
    (rows,) = (value for name, value in told["result"].items() if name != "last")
    rows[-2][1:5] = [str(Decimal(value) * 3) for value in rows[-2][1:5]]
    return told


def test_a_second_source_refutes_what_the_first_one_alone_says(conn: Connection, server: ProviderServer) -> None:
    hold(conn, "crypto:BTC", since=NOW - timedelta(days=60))
    server.script("OHLC", Fault(alter=tripled))
    access = access_to(server.url, "kraken", "coinbase")

    bring_up_to_date(conn, access, lambda: NOW, 60)

    told = conn.execute(BARS, ["1d", LAST]).fetchall()
    assert [row[:3] for row in told] == [("coinbase", "accepted", None), ("kraken", "held", "outlier")]
    looks = "select source, status, given_up, window_start, window_end, is_second_look from registry.backfill_jobs"
    assert conn.execute(f"{looks} where is_second_look").fetchall() == [
        ("coinbase", "done", ["kraken"], LAST - timedelta(days=5), MIDNIGHT, True)
    ]
    assert conn.execute(
        "select asked_until, next_job_at from registry.tracked_instruments where instrument_id = 'crypto:BTC'"
    ).fetchone() == (MIDNIGHT, MIDNIGHT + timedelta(days=1)), "what is known of the history has moved"
    # it has been answered: nobody is asked again
    asked = len(server.requests)
    bring_up_to_date(conn, access, lambda: NOW, 60)
    assert len(server.requests) == asked


def test_a_second_source_confirms_a_true_move(
    conn: Connection, server: ProviderServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(conn, "crypto:BTC", since=NOW - timedelta(days=60))
    # the market itself: three times as much from the end of the last closed day
    monkeypatch.setattr(
        providers,
        "cents",
        lambda _symbol, at: (10_000 + at // DAY % 7 * 100) * (3 if at >= MIDNIGHT.timestamp() else 1),
    )
    bring_up_to_date(conn, access_to(server.url, "kraken"), lambda: NOW, 60)
    alone = conn.execute(BARS, ["1d", LAST]).fetchall()
    assert [row[:3] for row in alone] == [("kraken", "held", "outlier")]
    assert not conn.execute("select from registry.backfill_jobs where is_second_look").fetchall()

    bring_up_to_date(conn, access_to(server.url, "kraken", "coinbase"), lambda: NOW, 60)

    both = conn.execute(BARS, ["1d", LAST]).fetchall()
    assert [row[:3] for row in both] == [("coinbase", "accepted", None), ("kraken", "accepted", None)]
    assert both[0][3] == both[1][3]


def test_a_held_newest_price_asks_the_next_source_at_once(conn: Connection, server: ProviderServer) -> None:
    hold(conn, "crypto:BTC", since=NOW - timedelta(days=60))
    access = access_to(server.url, "kraken", "coinbase")
    bring_up_to_date(conn, access, lambda: NOW, 60)
    assert [row[0] for row in conn.execute(BARS, ["tick", LAST])] == ["kraken"]

    def tripled_ticker(told: dict) -> dict:
        for pair in told["result"].values():
            pair["c"][0] = str(Decimal(pair["c"][0]) * 3)
        return told

    server.script("Ticker", Fault(alter=tripled_ticker))
    later = NOW + timedelta(minutes=15)
    server.now = later.timestamp()
    bring_up_to_date(conn, access, lambda: later, 60)

    told = conn.execute(BARS, ["tick", later]).fetchall()
    assert [row[:3] for row in told] == [("coinbase", "accepted", None), ("kraken", "held", "outlier")]
