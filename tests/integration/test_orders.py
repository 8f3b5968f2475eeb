"""Orders sent by the real alpaca-py client to a peer that loses answers, refuses and fills in parts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from typer.testing import CliRunner

from assets.accounts.model import Credentials
from assets.orders.model import Money
from assets.orders.paper import BrokerError, LiveAccountError, PaperAccount
from assets.orders.sending import Sent, send_orders
from assets.orders.store import OrdersError, Plan, read_account, read_plan
from assets.publication.tables import READING_FILES
from assets.warehouse.database import Connection, connect
from orchestration.command_line import app
from tests.account_server import KEY, SECRET, AccountServer, account_server

AS_OF = datetime(2026, 1, 5, 15, tzinfo=UTC)
NOW = AS_OF + timedelta(minutes=5)
SCHEMA = """
insert into registry.users values ('alice');
insert into registry.portfolios (id, user_id, name, base_currency) values ('p', 'alice', 'P', 'USD');
insert into ops.runs (run_id, as_of, cutoff_at, as_of_date, is_as_of_given)
values ('r', '2026-01-05 15:00Z', '2026-01-05 15:00Z', '2026-01-05', true);
create table history.rebalancing_suggestions (portfolio_id text, instrument_id text, action text, quantity numeric,
    value_usd numeric, published_from bigint, published_to bigint);
create view marts.rebalancing_suggestions as select * from history.rebalancing_suggestions where published_to is null;
create table history.portfolios (portfolio_id text, is_active boolean, is_held boolean);
create view marts.portfolios as select * from history.portfolios;
insert into history.portfolios values ('p', true, false), ('held', true, true);
"""
STATE = """
truncate registry.orders, registry.accounts, ops.publications, history.rebalancing_suggestions;
insert into registry.accounts (portfolio_id, id, kind, broker, credentials_env) values ('p', 'broker', 'broker', 'alpaca', 'ALPACA');
insert into ops.publications (publication_id, run_id, as_of, inputs_fingerprint, checks_passed, checks_warned, portfolios,
    held_portfolios, changed_rows, table_rows) values (1, 'r', '2026-01-05 15:00Z', 'f', 0, 0, 1, 0, 0, '');
insert into history.rebalancing_suggestions values
    ('p', 'equity:OLD', 'sell', 3, 300, 1, null), ('p', 'equity:NEW', 'buy', 1.5, 150, 1, null),
    ('p', 'equity:IDLE', 'hold', null, null, 1, null);
"""


@pytest.fixture(scope="module")
def url(module_database_url: str) -> str:
    with connect(module_database_url) as connection:
        connection.execute(SCHEMA.encode())
        connection.execute((READING_FILES / "50_orders.sql").read_bytes())
    return module_database_url


@pytest.fixture
def conn(url: str) -> Iterator[Connection]:
    with connect(url) as connection:
        connection.execute(STATE.encode())
        connection.commit()
        yield connection


@pytest.fixture
def server() -> Iterator[AccountServer]:
    with account_server() as running:
        running.alpaca_cash = "1000"
        running.alpaca_positions = [{"symbol": "OLD", "qty": "3", "side": "long"}]
        yield running


def send(conn: Connection, server: AccountServer, *, confirm: bool = True, now: datetime = NOW) -> Sent:
    plan = read_plan(conn, "p")
    account = read_account(conn, "p", {"ALPACA_KEY": KEY, "ALPACA_SECRET": SECRET})
    broker = PaperAccount(account.credentials, server.url, request_seconds=0.3)
    return send_orders(conn, plan, "p", account, broker, now, is_confirmed=confirm)


def statuses(conn: Connection) -> dict[str, tuple[str, Decimal]]:
    return {
        row[0]: (row[1], row[2])
        for row in conn.execute("select instrument_id, status, filled_quantity from marts.orders").fetchall()
    }


def posted(server: AccountServer) -> int:
    return len(server.alpaca_orders)


def test_a_dry_run_sends_nothing(conn: Connection, server: AccountServer) -> None:
    sent = send(conn, server, confirm=False)
    assert [str(order).partition(" (")[0] for order in sent.ready] == ["sell 3 OLD", "buy 150.00 USD of NEW"]
    assert (sent.results, posted(server), statuses(conn)) == ([], 0, {})


def test_orders_are_sent_once_and_followed(conn: Connection, server: AccountServer) -> None:
    sent = send(conn, server)
    assert [status for _, status in sent.results] == ["accepted", "accepted"]
    sold, bought = server.alpaca_orders.values()
    assert {k: sold[k] for k in ("symbol", "side", "type", "qty", "time_in_force")} == {
        "symbol": "OLD", "side": "sell", "type": "market", "qty": "3", "time_in_force": "day",
    }  # fmt: skip
    assert (bought["notional"], "qty" in bought) == ("150.00", False)

    # a part is filled: the next call reads it back, and sends nothing twice
    sold |= {"status": "partially_filled", "filled_qty": "1.5", "filled_avg_price": "101.25"}
    bought |= {"status": "filled", "filled_qty": "1.48", "filled_avg_price": "101.3"}
    again = send(conn, server, now=NOW + timedelta(minutes=1))
    assert posted(server) == 2
    assert {one.reason for one in again.skipped} == {"sent already: partially_filled", "sent already: filled"}
    assert statuses(conn) == {
        "equity:OLD": ("partially_filled", Decimal("1.5")),
        "equity:NEW": ("filled", Decimal("1.48")),
    }
    row = conn.execute(
        "select side, suggested_quantity, quantity, open_quantity, filled_average_price_usd, user_id from marts.orders"
        " where instrument_id = 'equity:OLD'"
    ).fetchone()
    assert row == ("sell", 3, 3, Decimal("1.5"), Decimal("101.25"), "alice")


def test_a_time_out_after_the_order_was_taken_sends_no_second_one(conn: Connection, server: AccountServer) -> None:
    server.fail("/v2/orders", "lost")
    sent = send(conn, server)
    # asked by its id after the time-out
    assert [status for _, status in sent.results] == ["accepted", "accepted"]
    assert posted(server) == 2
    assert server.hits.count("/v2/orders") == 2


def test_nobody_can_tell_and_the_next_call_asks_first(conn: Connection, server: AccountServer) -> None:
    server.fail("/v2/orders", "lost", "500")
    server.fail("/v2/orders:by_client_order_id", "ok", "500", "ok", "500")
    sent = send(conn, server)
    assert [status.partition(":")[0] for _, status in sent.results] == ["pending", "pending"]
    assert (sent.failures, posted(server)) == (2, 1)
    again = send(conn, server, now=NOW + timedelta(minutes=1))
    # the first had arrived, the second had not
    assert [order.symbol for order, _ in again.results] == ["NEW"]
    assert posted(server) == 2
    assert {status for status, _ in statuses(conn).values()} == {"accepted"}


@pytest.mark.parametrize(("fault", "code"), [("denied", "HTTP 403"), ("422", "HTTP 422"), ("429", "HTTP 429")])
def test_what_is_refused_says_so_and_may_be_tried_again(
    conn: Connection, server: AccountServer, fault: str, code: str
) -> None:
    server.fail("/v2/orders", fault, fault)
    sent = send(conn, server)
    assert [status.startswith(f"refused: {code}") for _, status in sent.results] == [True, True]
    failures = conn.execute("select status, failure from registry.orders").fetchall()
    assert {status for status, _ in failures} == {"refused"}
    assert KEY not in str(failures) + str(sent)
    assert send(conn, server).failures == 0
    assert posted(server) == 2


def test_an_order_that_never_arrived_does_not_stand_in_the_way_for_ever(
    conn: Connection, server: AccountServer
) -> None:
    server.fail("/v2/orders", "500", "500")
    server.fail("/v2/orders:by_client_order_id", "ok", "500", "ok", "500")
    assert send(conn, server).failures == 2
    # the next publication suggests another quantity: another order
    conn.execute("update history.rebalancing_suggestions set published_to = 2")
    conn.execute("insert into history.rebalancing_suggestions values ('p', 'equity:OLD', 'sell', 2, 200, 2, null)")
    conn.execute(
        "insert into ops.publications select 2, run_id, as_of + interval '1 hour', inputs_fingerprint, 0, 0, 1, 0, 0, ''"
        " from ops.publications"
    )
    conn.commit()
    early = send(conn, server, now=NOW + timedelta(minutes=1))
    assert [one.reason for one in early.skipped] == ["another order of it is open: pending"]
    late = send(conn, server, now=NOW + timedelta(hours=1))
    assert [(order.symbol, order.quantity, status) for order, status in late.results] == [("OLD", 2, "accepted")]


def test_purchases_stay_within_cash_and_buying_power(conn: Connection, server: AccountServer) -> None:
    server.alpaca_buying_power = "149.99"
    sent = send(conn, server)
    assert [order.planned.side for order, _ in sent.results] == ["sell"]
    assert sent.skipped[0].reason.startswith("needs 150.00 USD and 149.99 USD are there")
    server.alpaca_cash, server.alpaca_buying_power = "149.99", "299.98"
    assert send(conn, server).results == []


@pytest.mark.parametrize(
    ("key", "endpoint"),
    [
        ("AK1234", "https://paper-api.alpaca.markets"),
        (KEY, "https://api.alpaca.markets"),
        (KEY, "https://API.alpaca.markets:443"),
    ],
)
def test_live_accounts_are_refused(key: str, endpoint: str) -> None:
    with pytest.raises(LiveAccountError, match="LIVE_KEY") as refused:
        PaperAccount(Credentials("LIVE", key, "secret"), endpoint)
    assert key not in str(refused.value)


def test_what_there_is_no_order_from(conn: Connection, server: AccountServer, tmp_path: Path) -> None:
    with pytest.raises(OrdersError, match="no active portfolio nobody"):
        read_plan(conn, "nobody")
    with pytest.raises(OrdersError, match="held"):
        read_plan(conn, "held")
    with pytest.raises(OrdersError, match="ALPACA_KEY and ALPACA_SECRET"):
        read_account(conn, "p", {})
    with pytest.raises(OrdersError, match="more than a day ago"):
        send(conn, server, now=AS_OF + timedelta(days=1, minutes=1))
    conn.execute("update registry.accounts set is_active = false")
    with pytest.raises(OrdersError, match="has 0 accounts"):
        read_account(conn, "p", {})


def test_an_account_that_cannot_be_read_ends_it(conn: Connection, server: AccountServer) -> None:
    server.fail("/v2/account", "html")
    with pytest.raises(BrokerError) as failed:
        send(conn, server)
    assert KEY not in str(failed.value)
    assert posted(server) == 0


def test_short_positions_are_nothing_to_sell(server: AccountServer) -> None:
    server.alpaca_positions = [
        {"symbol": "OLD", "qty": "-3", "side": "short"}, {"symbol": "BTCUSD", "qty": "1", "qty_available": "0.4", "asset_class": "crypto"},
    ]  # fmt: skip
    broker = PaperAccount(Credentials("ALPACA", KEY, SECRET), server.url, request_seconds=0.5)
    assert broker.money() == Money(Decimal(1000), {"OLD": Decimal(-3), "BTC/USD": Decimal("0.4")})


def test_a_plan_is_the_same_whenever_it_is_read(conn: Connection) -> None:
    first, second = read_plan(conn, "p"), read_plan(conn, "p")
    assert isinstance(first, Plan)
    assert first == second
    assert [order.side for order in first.orders] == ["sell", "buy"]


def test_the_command_writes_a_file_and_shows_what_it_would_send(
    conn: Connection, url: str, server: AccountServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {
        "HOLDFAST_DATABASE_URL": url, "HOLDFAST_HOME": str(tmp_path / "home"), "HOLDFAST_SOURCES": "alpaca",
        "HOLDFAST_ENDPOINT_ALPACA": server.url, "ALPACA_KEY": KEY, "ALPACA_SECRET": SECRET,
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    file = tmp_path / "orders.csv"
    assert command("--to", str(file)) == (0, f"2 orders: {file}\n")
    header, sale, purchase = file.read_text().splitlines()
    assert header == "client_order_id,portfolio_id,instrument_id,side,quantity,value_usd,suggested_as_of"
    assert sale.partition(",")[2] == "p,equity:OLD,sell,3,300.00,2026-01-05T15:00:00Z"
    assert purchase.partition(",")[2] == "p,equity:NEW,buy,1.5,150.00,2026-01-05T15:00:00Z"
    # the suggestions describe a day long ago
    assert command("--send") == (2, "")
    conn.execute("update ops.publications set as_of = now()")
    conn.commit()
    code, text = command("--send")
    assert (code, posted(server)) == (0, 0)
    assert text.endswith("2 orders; nothing was sent: --confirm sends\n")
    code, text = command("--send", "--confirm")
    assert (code, posted(server)) == (0, 2)
    assert text.startswith("accepted: sell 3 OLD (holdfast-")
    assert command("--confirm") == (2, "")
    monkeypatch.setenv("HOLDFAST_SOURCES", "none")
    assert command("--send") == (2, "")


def command(*arguments: str) -> tuple[int, str]:
    found = CliRunner().invoke(app, ["orders", "--portfolio", "p", *arguments])
    return found.exit_code, found.stdout
