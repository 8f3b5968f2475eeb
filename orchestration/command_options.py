"""What several commands share: options, the settings with the database's URL, the inputs folder, and how one fails."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from orchestration.embedded_postgres import database_url
from orchestration.settings import Settings, load_settings

InputsOption = Annotated[Path | None, typer.Option(help="Folder with portfolios.yaml; default HOLDFAST_INPUTS.")]


def open_settings(url: str | None) -> tuple[Settings, str]:
    """The settings, and the URL of the database (starting the embedded server where it is meant)."""
    if url:
        os.environ["HOLDFAST_DATABASE_URL"] = url
    settings = load_settings()
    for name in settings.unrecognised:
        print(f"  {name} is no setting of Holdfast; is it mistyped?", file=sys.stderr)
    return settings, database_url(settings)


def inputs_folder(settings: Settings, given: Path | None) -> Path:
    """The inputs folder of a command; without one the command ends with exit code 2."""
    folder = given or settings.inputs
    if folder is None:
        fail("no inputs folder: give --inputs DIR or set HOLDFAST_INPUTS", 2)
    if not folder.is_dir():
        fail(f"{folder} is no folder; expected one with portfolios.yaml", 2)
    return folder.resolve()


def counted(number: int, noun: str) -> str:
    """`1 problem`, `2 problems`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def fail(message: str, code: int = 1) -> NoReturn:
    """Say why a command cannot go on, and end it."""
    print(f"holdfast: {message}", file=sys.stderr)
    raise typer.Exit(code)
