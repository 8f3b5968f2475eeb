"""`holdfast instruments` and `holdfast market`: the catalogue, and workers of the backfill queue beside the runs."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.command_options import fail, open_settings

if TYPE_CHECKING:
    from assets.market.catalogue import Hit, Known

instruments = typer.Typer(no_args_is_help=True, help="The catalogue of instruments.")
market = typer.Typer(no_args_is_help=True, help="Prices beside the runs.")


@instruments.callback()
def _instruments() -> None:
    """The catalogue of instruments."""


@market.callback()
def _market() -> None:
    """Prices beside the runs."""


@instruments.command("find")
def find_instruments(
    text: Annotated[str, typer.Argument(help="A part of an id, a symbol, a name or an address.")],
    limit: Annotated[int, typer.Option(min=1, help="At most so many.")] = 20,
    json_: Annotated[bool, typer.Option("--json", help="A JSON array.")] = False,
) -> None:
    """What a text may mean: id, name, where it is known from, its symbol at each source, whether it is followed."""
    from assets.market.catalogue import find

    hits = find(text, _known(), limit)
    if json_:
        print(json.dumps([asdict(hit) for hit in hits], indent=1))
        return
    for hit in hits:
        print(_line(hit))
    if not hits:
        fail(f"nothing known has {text!r}; declare it in instruments.csv, with ccxt_symbol or yfinance_symbol")


@market.command("work")
def work(
    seconds: Annotated[float, typer.Option(min=1, help="How long at most; with --follow in one go.")] = 600.0,
    follow: Annotated[bool, typer.Option(help="Go on: wait for new holdings and for what is due.")] = False,
) -> None:
    """Fetch the prices that are missing, then the newest ones; several workers share the queue."""
    from assets.market.refreshing import bring_up_to_date, wait_for_holdings
    from assets.market.store import is_ready
    from assets.warehouse.database import connect
    from orchestration.resources import market_access

    settings, url = open_settings(None)
    access = market_access(settings)
    if not access.is_any:
        fail("HOLDFAST_SOURCES lets no source of prices be asked", 2)
    with connect(url, autocommit=True) as conn:
        if not is_ready(conn):
            fail("this database has not seen a run yet: holdfast run makes it ready", 2)
        while True:
            # what came while it worked has been notified to this connection already
            wait_for_holdings(conn, 0)
            print(bring_up_to_date(conn, access, lambda: datetime.now(UTC), seconds, is_patient=True), flush=True)
            if not follow:
                return
            wait_for_holdings(conn, 60)


def _known() -> list[Known]:
    """What the database adds; nothing where it has not seen a run yet."""
    from assets.market.catalogue import Known
    from assets.market.store import is_ready, read_known
    from assets.warehouse.database import connect

    _, url = open_settings(None)
    with connect(url) as conn:
        return [Known(*row) for row in read_known(conn)] if is_ready(conn) else []


def _line(hit: Hit) -> str:
    told = [hit.instrument, hit.name, f"[{', '.join(hit.known_from)}]"]
    told += [hit.state] if hit.state else []
    symbols = ", ".join(f"{source} {symbol}" for source, symbol in hit.symbols.items())
    told += [symbols or "no source has a symbol for it"]
    return "  ".join(part for part in told if part) + (f"\n    {hit.error}" if hit.error else "")
