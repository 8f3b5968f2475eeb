"""Orders in the database: the suggestions that stand, and the log of what was sent.

Belongs here: the SQL of orders. Must not be here: requests, what may be sent.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from assets.accounts.model import Credentials
from assets.orders.model import PENDING, BrokerWord, Known, Order, PlannedOrder
from assets.orders.planning import client_order_id
from assets.warehouse.database import Connection, has_relation


class OrdersError(RuntimeError):
    """There is nothing to order, or nobody to order from; the message says why and what to do."""


@dataclass(frozen=True)
class Plan:
    """The suggestions of one portfolio as orders; `as_of`: the moment that they describe."""

    as_of: datetime
    orders: tuple[PlannedOrder, ...]


@dataclass(frozen=True)
class BrokerAccount:
    """The account that orders go to; `own_symbols`: its symbols of instruments.csv."""

    account_id: str
    credentials: Credentials
    own_symbols: Mapping[str, str]


def read_plan(conn: Connection, portfolio_id: str) -> Plan:
    """The suggestions of the last publication to buy or sell, sales first.

    Raises:
        OrdersError: nothing is published, the portfolio is unknown, or a gate holds it.
    """
    if not has_relation(conn, "marts.rebalancing_suggestions"):
        raise OrdersError("nothing is published yet: run `holdfast run --inputs DIR` first")
    found = conn.execute(
        "select is_active, is_held, (select as_of from ops.publications order by publication_id desc limit 1)"
        " from marts.portfolios where portfolio_id = %s",
        [portfolio_id],
    ).fetchone()
    if found is None or not found[0]:
        raise OrdersError(
            f"no active portfolio {portfolio_id} is published: `select portfolio_id from marts.portfolios`"
        )
    if found[1]:
        raise OrdersError(f"portfolio {portfolio_id} is held and keeps old numbers: `holdfast status` says why")
    rows = conn.execute(
        """
        select rows.instrument_id, rows.action, rows.quantity, rows.value_usd, rows.published_from, publications.as_of
        from history.rebalancing_suggestions as rows
        inner join ops.publications on publications.publication_id = rows.published_from
        where rows.published_to is null and rows.portfolio_id = %s and rows.action in ('buy', 'sell')
        order by rows.action desc, rows.value_usd desc nulls last, rows.instrument_id
        """,
        [portfolio_id],
    ).fetchall()
    return Plan(
        found[2],
        tuple(
            PlannedOrder(
                client_order_id(publication, said_at, portfolio_id, name, side),
                portfolio_id, name, side, quantity, value, publication,
            )
            for name, side, quantity, value, publication, said_at in rows
        ),
    )  # fmt: skip


def read_account(conn: Connection, portfolio_id: str, environ: Mapping[str, str]) -> BrokerAccount:
    """The portfolio's one account at Alpaca, with its key from the environment.

    Raises:
        OrdersError: there is none or more than one, or its key is not set.
    """
    rows = conn.execute(
        "select id, credentials_env from registry.accounts where portfolio_id = %s and is_active"
        " and broker = 'alpaca' and credentials_env is not null order by id",
        [portfolio_id],
    ).fetchall()
    if len(rows) != 1:
        raise OrdersError(
            f"portfolio {portfolio_id} has {len(rows)} accounts at alpaca with credentials_env, and orders need one"
        )
    account_id, variable = rows[0]
    key, secret = (environ.get(f"{variable}_{part}", "").strip() for part in ("KEY", "SECRET"))
    if not key or not secret:
        raise OrdersError(f"set {variable}_KEY and {variable}_SECRET to a paper account's key")
    declared = conn.execute("select instrument, ccxt_symbol, yfinance_symbol from registry.instruments").fetchall()
    own = {yahoo: instrument for instrument, _, yahoo in declared if yahoo and "=" not in yahoo}
    own |= {pair.partition("/")[0]: instrument for instrument, pair, _ in declared if pair}
    return BrokerAccount(account_id, Credentials(variable, key, secret), own)


def read_known(conn: Connection, portfolio_id: str) -> list[Known]:
    """Orders of a portfolio that were ever tried, oldest first."""
    rows = conn.execute(
        "select client_order_id, instrument_id, status, filled_quantity, updated_at from registry.orders"
        " where portfolio_id = %s order by requested_at, client_order_id",
        [portfolio_id],
    ).fetchall()
    return [Known(*row) for row in rows]


def write_pending(conn: Connection, order: Order, account_id: str, as_of: datetime, now: datetime) -> None:
    """Write an order down before it leaves; one that never reached the broker takes the newer amounts."""
    planned = order.planned
    conn.execute(
        """
        insert into registry.orders (
            client_order_id, portfolio_id, account_id, instrument_id, publication_id, suggested_as_of, broker, symbol,
            side, suggested_quantity, quantity, notional_usd, status, requested_at, updated_at
        ) values (%s, %s, %s, %s, %s, %s, 'alpaca', %s, %s, %s, %s, %s, %s, %s, %s)
        on conflict (client_order_id) do update set
            quantity = excluded.quantity, notional_usd = excluded.notional_usd, status = excluded.status,
            failure = null, requested_at = excluded.requested_at, updated_at = excluded.updated_at
        """,
        [
            planned.client_order_id, planned.portfolio_id, account_id, planned.instrument_id, planned.publication_id,
            as_of, order.symbol, planned.side, planned.quantity, order.quantity, order.notional_usd, PENDING, now, now,
        ],
    )  # fmt: skip


def write_word(conn: Connection, client_order_id: str, word: BrokerWord, now: datetime) -> None:
    """Write what the broker says of an order; `updated_at` moves only with a difference."""
    said = [word.status, word.broker_order_id, word.filled_quantity, word.filled_average_price_usd]
    conn.execute(
        """
        update registry.orders set status = %s, broker_order_id = %s, filled_quantity = %s,
            filled_average_price_usd = %s, failure = null, updated_at = %s
        where client_order_id = %s
            and (status, broker_order_id, filled_quantity, filled_average_price_usd) is distinct from (%s, %s, %s, %s)
        """,
        [*said, now, client_order_id, *said],
    )


def write_failure(conn: Connection, client_order_id: str, status: str, failure: str, now: datetime) -> None:
    """Write why an order did not go out, or is not known to have arrived."""
    conn.execute(
        "update registry.orders set status = %s, failure = %s, updated_at = %s where client_order_id = %s",
        [status, failure, now, client_order_id],
    )
