"""The command `holdfast`: thin over the Dagster jobs and the rooms. Heavy imports wait for their command."""

from __future__ import annotations

import os
import socket
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from assets.warehouse.database import redact, safe_error
from orchestration.archive_commands import archive
from orchestration.backtest_command import show_backtest
from orchestration.chains_command import list_chains
from orchestration.command_options import InputsOption, counted
from orchestration.command_options import fail as _fail
from orchestration.command_options import inputs_folder as _inputs
from orchestration.command_options import open_settings as _settings
from orchestration.demo_chains_command import demo_chains
from orchestration.embedded_postgres import database_url, ensure_running, reader_url, stop
from orchestration.embedded_postgres import status as server_status
from orchestration.export_commands import export
from orchestration.import_command import import_files
from orchestration.market_commands import instruments, market
from orchestration.orders_command import make_orders
from orchestration.outcome import Outcome, rejected
from orchestration.price_commands import prices
from orchestration.server_place import EmbeddedPostgresError
from orchestration.settings import SettingsError, load_settings, pass_on
from orchestration.snapshot_command import take_snapshot

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Portfolio data that adds up, in your own PostgreSQL."
)
db = typer.Typer(no_args_is_help=True, help="The database that Holdfast publishes into.")
app.add_typer(archive, name="archive")
app.add_typer(db, name="db")
app.add_typer(export, name="export")
app.add_typer(instruments, name="instruments")
app.add_typer(market, name="market")
app.add_typer(prices, name="prices")
app.command("import")(import_files)
app.command("chains")(list_chains)
app.command("snapshot")(take_snapshot)
app.command("orders")(make_orders)
app.command("backtest")(show_backtest)
app.command("demo-chains")(demo_chains)

_UI_HOST = "127.0.0.1"
_HIGHEST_PORT = 65_535
UrlOption = Annotated[
    str | None,
    typer.Option("--database-url", help="PostgreSQL >= 15; default HOLDFAST_DATABASE_URL, else embedded."),
]


def main() -> None:
    """Entry point."""
    try:
        app()
    except (SettingsError, EmbeddedPostgresError) as error:
        _stop(redact(str(error)))
    except OSError as error:
        named = f"{error.filename} cannot be used ({error.strerror}); check the path, as of HOLDFAST_HOME"
        _stop(named if error.filename and error.strerror else safe_error(error))
    except RuntimeError as error:
        _stop(safe_error(error))


def _stop(message: str) -> NoReturn:
    print(f"holdfast: {message}", file=sys.stderr)
    raise SystemExit(1) from None


@app.command()
def run(
    inputs: InputsOption = None,
    as_of: Annotated[str | None, typer.Option(help="Moment to describe: 2021-03-31 (its end) or a time stamp.")] = None,
    database_url_: UrlOption = None,
) -> None:
    """One full, gated run; the last line is a JSON summary. Exit 0 published, 2 bad inputs, 3 held, 1 crash."""
    folder = _inputs(load_settings(), inputs)  # first: without one no server need be started
    _require_as_of(as_of)
    settings, url = _settings(database_url_)
    from orchestration.pipeline import run_pipeline

    _end(run_pipeline(settings, url, str(folder), as_of, is_watched=True), url)


@app.command()
def validate(inputs: InputsOption = None) -> None:
    """Check an inputs folder only; every problem with file, line, column, value and what was expected."""
    folder = _inputs(load_settings(), inputs)
    from assets.registry.landing import validate as find_problems

    problems = find_problems(folder, datetime.now(UTC))
    for problem in problems:
        print(problem)
    if problems:
        print(f"{counted(len(problems), 'problem')} in {folder}")
        raise typer.Exit(2)
    print(f"{folder} is valid")


@app.command()
def up(port: Annotated[int, typer.Option(min=1, max=_HIGHEST_PORT, help="Port of the Dagster UI.")] = 3000) -> None:
    """Dagster UI and daemon over the database, schedules and sensors on; ends with Ctrl-C."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_UI_HOST, port))
        except OSError as error:
            _fail(f"port {port} cannot be had ({error.strerror}); name another one, as in --port 3001")
    settings, url = _settings(None)
    from assets.warehouse import dbt
    from orchestration.instance import prepare_instance

    dbt.prepare()
    prepare_instance(settings, url)
    pass_on(settings)
    os.environ["HOLDFAST_SCHEDULES"] = "on"
    os.environ.setdefault("PYTHONWARNINGS", "ignore:Function `dev_command` is superseded")  # Dagster's own advice
    print(f"Dagster UI: http://{_UI_HOST}:{port}", flush=True)
    dagster = Path(sys.executable).with_name("dagster")
    arguments = ["dev", "-w", str(settings.project_root / "workspace.yaml"), "-h", _UI_HOST, "-p", str(port)]
    os.chdir(settings.project_root)
    os.execv(dagster, [str(dagster), *arguments])  # noqa: S606 -- our own environment's dagster, no shell


@app.command()
def down() -> None:
    """Stop the embedded PostgreSQL; its data stays."""
    print("stopped" if stop(load_settings().home) else "was not running")


@app.command()
def status() -> None:
    """The last publication, held portfolios, warnings and stale sources."""
    settings, url = _settings(None)
    if not settings.database_url:
        print(server_status(settings.home).message)
    _print_summary(url)


@app.command()
def report(
    output: Annotated[Path | None, typer.Option(help="File to write; default report.html in HOLDFAST_HOME.")] = None,
) -> None:
    """Write the HTML report of the last publication."""
    settings, url = _settings(None)
    from assets.publication.report import write_report
    from assets.warehouse.database import connect

    settings.home.mkdir(parents=True, exist_ok=True)
    path = output or settings.home / "report.html"
    with connect(url) as conn:
        try:
            write_report(conn, path)
        except OSError as error:
            _fail(f"{path} cannot be written ({error.strerror}); name a file in a folder that exists")
    print(f"Report: {path}")


@app.command()
def prepare() -> None:
    """Parse the dbt project, which Dagster needs before it can show the graph; `make` does it."""
    from assets.warehouse import dbt

    print(f"dbt manifest: {dbt.prepare()}")


@db.command("url")
def db_url(
    reader: Annotated[bool, typer.Option("--reader", help="URL of the read-only role bi_reader.")] = False,
) -> None:
    """Print a libpq URL that psql and any BI tool accept."""
    settings = load_settings()
    if reader and not settings.database_url:
        print(reader_url(settings.home, ensure_running(settings.home)))
    elif reader:
        _fail("--reader knows the embedded server only; on your own server give bi_reader a password and use it")
    else:
        print(database_url(settings))


def _require_as_of(as_of: str | None) -> None:
    """End a run that would be refused for its as-of before anything is started for it."""
    from assets.publication.runs import AsOfError, read_window

    try:
        read_window(as_of, datetime.now(UTC))
    except AsOfError as error:
        _end(rejected([str(error)]))


def _end(outcome: Outcome, url: str = "") -> NoReturn:
    for message in outcome.messages:
        print(f"  {message}", file=sys.stderr)
    if outcome.summary["status"] in {"published", "unchanged"}:
        _print_summary(url)
    print(outcome.to_json(), flush=True)
    raise typer.Exit(outcome.exit_code)


def _print_summary(url: str) -> None:
    from assets.warehouse.database import connect
    from orchestration.summary import print_summary

    with connect(url) as conn:
        print_summary(conn)
