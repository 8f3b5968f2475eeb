"""`holdfast prices …`: prices that wait for a person. Thin over assets.market.review."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime
from typing import Annotated

import typer

from orchestration.command_options import fail, open_settings

prices = typer.Typer(no_args_is_help=True, help="Prices of sources, and a person's word on them.")


@prices.callback()
def _group() -> None:
    """Prices of sources, and a person's word on them."""


@prices.command()
def review(
    release: Annotated[list[int] | None, typer.Option(help="Id of a price that is right; repeatable.")] = None,
    refuse: Annotated[list[int] | None, typer.Option(help="Id of a price that is wrong; repeatable.")] = None,
    by: Annotated[str | None, typer.Option(help="Who decides; default the name of the user here.")] = None,
    database_url: Annotated[str | None, typer.Option("--database-url", help="PostgreSQL >= 15.")] = None,
) -> None:
    """List the prices that are held, or decide on some: the next run takes it up. Exit 2: an id is wrong."""
    from assets.market.review import ReviewError, decide, held_prices
    from assets.warehouse.database import connect

    _, url = open_settings(database_url)
    with connect(url) as conn:
        if release or refuse:
            try:
                count = decide(conn, release or [], refuse or [], by or getpass.getuser(), datetime.now(UTC))
            except ReviewError as error:
                conn.rollback()
                fail(str(error), 2)
            print(f"{count} prices decided on; the next run counts accordingly")
            return
        held = held_prices(conn)
    if not held:
        print("no price is held")
        return
    rows = [("id", "instrument", "source", "bar", "priced at (UTC)", "price", "last good", "reason")]
    for one in held:
        good = f"{one.last_good.normalize():f} of {one.last_good_at:%Y-%m-%d}" if one.last_good is not None else "none"
        rows.append(
            (
                str(one.bar_id), one.instrument_id, one.source, one.resolution, f"{one.priced_at:%Y-%m-%d %H:%M}",
                f"{one.close.normalize():f} {one.currency}", good, one.reason,
            )
        )  # fmt: skip
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())
    print(f"{len(held)} prices are held; --release ID lets one count, --refuse ID does not, for ever")
