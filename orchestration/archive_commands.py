"""`holdfast archive …`: what has left the database for Parquet files. Thin over assets.warehouse.archive."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from orchestration.command_options import fail, open_settings

archive = typer.Typer(no_args_is_help=True, help="Old prices and snapshots, in Parquet files that DuckDB reads.")


@archive.callback()
def _group() -> None:
    """Old prices and snapshots, in Parquet files that DuckDB reads."""


@archive.command("list")
def list_files() -> None:
    """The files of the archive: data set, resolution or type, month, rows, path."""
    from assets.warehouse.archive import read_files
    from assets.warehouse.database import connect
    from orchestration.maintenance import archive_root

    settings, url = open_settings(None)
    root = archive_root(settings)
    with connect(url) as conn:
        files = read_files(conn)
    for file in files:
        state = "" if (root / file.path).is_file() else "  MISSING"
        print(f"{file.dataset:<10} {file.series:<8} {file.month:%Y-%m} {file.rows:>12,}  {file.path}{state}")
    print(f"{len(files)} files, {sum(file.rows for file in files):,} rows in {root}")


@archive.command("run")
def run() -> None:
    """Move what is too old into the archive now, as the weekly job `maintenance` does."""
    from orchestration.maintenance import archive_what_is_old

    settings, url = open_settings(None)
    print(archive_what_is_old(settings, url, "archive", datetime.now(UTC)))


@archive.command("query")
def query(
    question: Annotated[str, typer.Argument(metavar="SQL", help="One select of DuckDB over bars and snapshots.")],
) -> None:
    """Answer one select over the views bars and snapshots as CSV. Exit 2: it cannot be answered, or would write."""
    from assets.market.archive import BARS
    from assets.publication.retention import SNAPSHOTS
    from assets.warehouse.archive import ArchiveError
    from assets.warehouse.archive import query as ask
    from assets.warehouse.database import connect
    from orchestration.maintenance import archive_root

    settings, url = open_settings(None)
    try:
        with connect(url) as conn:
            answer = ask(conn, archive_root(settings), (BARS, SNAPSHOTS), question)
    except ArchiveError as error:
        fail(str(error), 2)
    print(answer.write_csv(), end="")
