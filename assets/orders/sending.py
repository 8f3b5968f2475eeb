"""Sending the orders of one portfolio, each at most once.

Belongs here: the order of writing down, asking and sending. Must not be here: SQL, requests.

What is sent was written down and committed before. A broker that knows the id has the order; one that does not, and was
asked after the time-out, may still get it: the id makes a second one impossible, so it may be sent again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from assets.accounts.codes import Codes
from assets.orders import store
from assets.orders.model import PENDING, REFUSED, BrokerWord, Order, Skipped
from assets.orders.paper import BrokerError, PaperAccount
from assets.orders.planning import make_orders
from assets.warehouse.database import Connection

#: Prices of a suggestion may be so old.
MAX_AGE = timedelta(days=1)
# an order that the broker does not know by then will not come any more
_ON_THE_WAY = timedelta(minutes=10)


@dataclass
class Sent:
    """What happened: orders with their status (or failure), those that would go, and what is not sent."""

    ready: Sequence[Order] = ()
    results: list[tuple[Order, str]] = field(default_factory=list)
    skipped: Sequence[Skipped] = ()
    failures: int = 0


def send_orders(
    conn: Connection,
    plan: store.Plan,
    portfolio_id: str,
    account: store.BrokerAccount,
    broker: PaperAccount,
    now: datetime,
    *,
    is_confirmed: bool,
) -> Sent:
    """Read back what became of earlier orders, and send what may be sent if that is confirmed.

    Args:
        conn: with no transaction open; each step is committed.
        plan: the suggestions.
        portfolio_id: whose they are.
        account: where they go.
        broker: the same, as it is asked.
        now: the wall clock.
        is_confirmed: False: nothing is sent.

    Raises:
        OrdersError: the suggestions are too old.
        BrokerError: the account cannot be asked.
    """
    reconcile(conn, portfolio_id, broker, now)
    if now - plan.as_of > MAX_AGE:
        raise store.OrdersError(
            f"the suggestions describe {plan.as_of:%Y-%m-%d %H:%M} UTC, more than a day ago: run Holdfast first"
        )
    known = store.read_known(conn, portfolio_id)
    orders, skipped = make_orders(plan.orders, known, broker.money(), Codes(account.own_symbols), plan.as_of)
    sent = Sent(orders, skipped=skipped)
    for order in orders if is_confirmed else ():
        store.write_pending(conn, order, account.account_id, plan.as_of, now)
        conn.commit()
        status, is_failed = _send(conn, order, broker, now)
        conn.commit()
        sent.results.append((order, status))
        sent.failures += is_failed
    return sent


def reconcile(conn: Connection, portfolio_id: str, broker: PaperAccount, now: datetime) -> None:
    """Ask for every order that something may have happened to; one that never arrived is refused after a while."""
    for known in store.read_known(conn, portfolio_id):
        if not known.is_open:
            continue
        word = broker.find(known.client_order_id)
        if word is not None:
            store.write_word(conn, known.client_order_id, word, now)
        elif known.status == PENDING and now - known.updated_at > _ON_THE_WAY:
            store.write_failure(conn, known.client_order_id, REFUSED, "it never reached the broker", now)
    conn.commit()


def _send(conn: Connection, order: Order, broker: PaperAccount, now: datetime) -> tuple[str, bool]:
    """The order's status in words, and whether that is a failure."""
    name = order.planned.client_order_id
    status, failure = PENDING, ""
    try:
        word = broker.find(name)
    except BrokerError as error:
        word, failure = None, str(error)
    if word is None and not failure:
        word, status, failure = _posted(order, broker)
    if word is None:
        store.write_failure(conn, name, status, failure, now)
        return f"{status}: {failure}", True
    store.write_word(conn, name, word, now)
    return word.status, False


def _posted(order: Order, broker: PaperAccount) -> tuple[BrokerWord | None, str, str]:
    """The broker's word; or, where there is none, whether the order may have arrived all the same, and why not."""
    try:
        return broker.send(order), "", ""
    except BrokerError as error:
        failure, status = str(error), REFUSED if error.is_refused else PENDING
    try:
        return broker.find(order.planned.client_order_id), status, failure
    except BrokerError:
        return None, PENDING, failure
