"""The commands `holdfast export …`: published rows as files. Heavy imports wait for their command."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from orchestration.embedded_postgres import database_url
from orchestration.settings import load_settings

export = typer.Typer(no_args_is_help=True, help="Published rows as CSV files.")


@export.command()
def gains(
    year: Annotated[
        int | None, typer.Option(min=1900, max=9999, help="Year of the disposal (UTC); default all.")
    ] = None,
    portfolio: Annotated[str | None, typer.Option(help="Portfolio id; default all.")] = None,
    to: Annotated[Path | None, typer.Option(help="File to write; default standard output.")] = None,
    by_year: Annotated[
        bool, typer.Option("--by-year", help="Sums by year, holding period and instrument, not each lot.")
    ] = False,
) -> None:
    """Realised gains, a row per disposal and lot, with cost, proceeds and holding period."""
    url = database_url(load_settings())
    from assets.publication.gains_export import write_gains
    from assets.warehouse.database import connect

    with connect(url) as conn:
        if to is None:
            write_gains(conn, sys.stdout.buffer.write, year=year, portfolio=portfolio, by_year=by_year)
            return
        # beside it first: what stands there is not lost when the question was wrong
        unfinished = to.with_name(f"{to.name}.part")
        try:
            with unfinished.open("wb") as file:
                rows = write_gains(conn, file.write, year=year, portfolio=portfolio, by_year=by_year)
            unfinished.replace(to)
        finally:
            unfinished.unlink(missing_ok=True)
    print(f"{rows} rows: {to}")
