"""`holdfast export …`: the owner's data out of the database, as files. Thin over the rooms."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from orchestration.command_options import fail, open_settings

export = typer.Typer(no_args_is_help=True, help="Your data out of the database, as files.")


@export.command("transactions")
def export_transactions(
    to: Annotated[Path, typer.Option("--to", help="Folder to make; must not exist, or be empty.")],
    portfolio: Annotated[
        list[str] | None, typer.Option(help="Id of a portfolio; repeatable; default all active ones.")
    ] = None,
    database_url: Annotated[str | None, typer.Option("--database-url", help="PostgreSQL >= 15.")] = None,
) -> None:
    """Write an inputs folder of what counts now, from which any Holdfast computes the same.

    Exit 0: written. 2: the folder is not empty, or a portfolio is unknown.
    """
    from assets.registry.exporting import ExportError, export_inputs
    from assets.registry.problems import InputProblems
    from assets.warehouse.database import connect

    _, url = open_settings(database_url)
    folder = to.resolve()
    try:
        with connect(url) as connection:
            exported = export_inputs(connection, folder, portfolio or [], datetime.now(UTC))
    except ExportError as error:
        fail(str(error), 2)
    except InputProblems as error:
        fail(f"the database holds what no inputs folder may hold; nothing was written\n{error}", 2)
    counts = ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in exported.rows.items())
    print(f"{exported.portfolios} portfolios: {counts}")
    if exported.quarantined:
        print(f"{exported.quarantined} rows in quarantine are left out")
    if exported.renamed:
        print(f"{exported.renamed} transactions without an external_id get another transaction_id when they are read")
    print(f"wrote {folder}; holdfast run --inputs {folder}")


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
    _, url = open_settings(None)
    from assets.publication.gains_export import NothingPublishedError, write_gains
    from assets.warehouse.database import connect

    try:
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
    except NothingPublishedError as error:
        fail(str(error))
    except OSError as error:
        fail(f"{to} cannot be written ({error.strerror}); name a file in a folder that exists")
    print(f"{rows} rows: {to}")
