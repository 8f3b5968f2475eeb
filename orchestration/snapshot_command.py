"""`holdfast snapshot`: a snapshot of type manual, asked for and published at once.

Belongs here: the command. Must not be here: the run (pipeline), how requests are
fulfilled (assets/publication/runs.py).
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from orchestration.command_options import InputsOption, fail, open_settings

PortfolioOption = Annotated[list[str] | None, typer.Option(help="Portfolio to snapshot, several times; default all.")]


def take_snapshot(portfolio: PortfolioOption = None, inputs: InputsOption = None) -> None:
    """Value portfolios now and publish a snapshot of type manual; the last line is the JSON summary of the run."""
    settings, url = open_settings(None)
    folder = inputs or settings.inputs
    if folder is not None and not folder.is_dir():
        fail(f"{folder} is no folder; expected one with portfolios.yaml", 2)
    from assets.publication.runs import request_snapshots
    from assets.warehouse.database import connect
    from assets.warehouse.migrate import migrate
    from orchestration.pipeline import run_pipeline

    with connect(url, autocommit=True) as conn:
        migrate(conn)
    with connect(url) as conn:
        unknown = request_snapshots(conn, portfolio or None)
        if unknown:
            fail(f"no active portfolio {', '.join(unknown)}; one is known from its first run on")
    outcome = run_pipeline(settings, url, str(folder.resolve()) if folder else None, None, is_watched=True)
    for message in outcome.messages:
        print(f"  {message}", file=sys.stderr)
    print(outcome.to_json(), flush=True)
    raise typer.Exit(outcome.exit_code)
