"""`holdfast orders`: suggestions as orders, in a file or at an Alpaca paper account. Thin over assets.orders."""

from __future__ import annotations

import csv
import io
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from assets.network.permission import is_allowed
from orchestration.command_options import fail, open_settings
from orchestration.settings import Settings

if TYPE_CHECKING:
    from assets.orders.store import Plan
    from assets.warehouse.database import Connection

_COLUMNS = ("client_order_id", "portfolio_id", "instrument_id", "side", "quantity", "value_usd", "suggested_as_of")


def make_orders(
    portfolio: Annotated[str, typer.Option(help="Id of the portfolio.")],
    to: Annotated[Path | None, typer.Option(help="File to write; default standard output.")] = None,
    send: Annotated[bool, typer.Option("--send", help="Ask its Alpaca paper account, and show what would go.")] = False,
    confirm: Annotated[bool, typer.Option("--confirm", help="With --send: send it.")] = False,
    database_url: Annotated[str | None, typer.Option("--database-url", help="PostgreSQL >= 15.")] = None,
) -> None:
    """The last publication's suggestions as orders with stable ids. Exit 1: an order failed; 2: nothing may be sent."""
    if confirm and not send:
        fail("--confirm goes with --send", 2)
    if send and to is not None:
        fail("either --to FILE or --send", 2)
    from assets.orders.store import OrdersError, read_plan
    from assets.warehouse.database import connect

    settings, url = open_settings(database_url)
    with connect(url) as conn:
        try:
            plan = read_plan(conn, portfolio)
            if send:
                _send(conn, plan, portfolio, settings, is_confirmed=confirm)
                return
        except OrdersError as error:
            fail(str(error), 2)
    text = _csv(plan)
    if to is None:
        sys.stdout.write(text)
        return
    to.write_text(text, encoding="utf-8")
    print(f"{len(plan.orders)} orders: {to}")


def _csv(plan: Plan) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_COLUMNS)
    for order in plan.orders:
        value = "" if order.value_usd is None else f"{order.value_usd:.2f}"
        writer.writerow(
            [
                order.client_order_id, order.portfolio_id, order.instrument_id, order.side,
                f"{order.quantity.normalize():f}", value, f"{plan.as_of:%Y-%m-%dT%H:%M:%SZ}",
            ]
        )  # fmt: skip
    return text.getvalue()


def _send(conn: Connection, plan: Plan, portfolio: str, settings: Settings, *, is_confirmed: bool) -> None:
    from assets.orders.paper import BrokerError, LiveAccountError, PaperAccount
    from assets.orders.sending import send_orders
    from assets.orders.store import read_account

    if not is_allowed("alpaca", settings.sources):
        fail("HOLDFAST_SOURCES does not allow alpaca to be asked", 2)
    account = read_account(conn, portfolio, os.environ)
    try:
        broker = PaperAccount(account.credentials, settings.endpoints.get("alpaca"))
        sent = send_orders(conn, plan, portfolio, account, broker, datetime.now(UTC), is_confirmed=is_confirmed)
    except LiveAccountError as error:
        fail(str(error), 2)
    except BrokerError as error:
        fail(f"the account cannot be asked: {error}")
    for skipped in sent.skipped:
        print(f"not sent: {skipped.instrument_id}: {skipped.reason}")
    if not is_confirmed:
        for order in sent.ready:
            print(f"would be sent: {order}")
        print(f"{len(sent.ready)} orders; nothing was sent: --confirm sends")
        return
    for order, status in sent.results:
        print(f"{status}: {order}")
    print(
        f"{len(sent.results) - sent.failures} orders sent, {sent.failures} not; marts.orders shows what becomes of them"
    )
    if sent.failures:
        raise typer.Exit(1)
