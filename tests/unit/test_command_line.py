"""Mistakes that a command tells before it starts anything, and how a run that was broken off is told."""

from __future__ import annotations

import socket
from decimal import Decimal
from io import StringIO
from types import SimpleNamespace

import pytest
from rich.console import Console
from typer.testing import CliRunner

from orchestration.command_line import app
from orchestration.pipeline import _errors
from orchestration.summary import _table


def test_a_port_that_is_taken_is_told_before_a_server_is_started() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        refused = CliRunner().invoke(app, ["up", "--port", str(port)])
    assert refused.exit_code == 1
    assert f"port {port} cannot be had (Address already in use)" in refused.stderr


@pytest.mark.parametrize("port", ["0", "65536"])
def test_no_port_is_beyond_those_that_there_are(port: str) -> None:
    assert CliRunner().invoke(app, ["up", "--port", port]).exit_code == 2


@pytest.mark.parametrize(
    ("kind", "message", "told"),
    [
        (
            "DagsterExecutionInterruptedError",
            "dagster._core.errors.DagsterExecutionInterruptedError\n",
            "interrupted: ",
        ),
        ("PipelineBusyError", "assets.warehouse.database.PipelineBusyError: The pipeline\nis held", "The pipeline is "),
        ("UndefinedTable", "psycopg.errors.UndefinedTable: no such table", "psycopg.errors.UndefinedTable: no such"),
    ],
)
def test_a_failure_is_told_by_what_it_says(kind: str, message: str, told: str) -> None:
    error = SimpleNamespace(cls_name=kind, message=message, cause=None)
    step = SimpleNamespace(cls_name="Step", message="", cause=error)
    (line,) = _errors([SimpleNamespace(error=step, user_failure_data=None)])
    assert line.startswith(told)
    assert "\n" not in line


@pytest.mark.parametrize(("width", "has_weights"), [(60, False), (150, True)])
def test_a_narrow_terminal_cuts_no_number(width: int, has_weights: bool) -> None:
    row = {"portfolio_id": "my-portfolio", "value_base": Decimal("-1234567.891"), "base_currency": "EUR", "twr_30d": 0.1,
           "twr_all": 2545.5265, "mwr_all": None, "max_drawdown": -0.5, "top_weights": "SPY 75 %", "state": "complete"}  # fmt: skip
    console = Console(width=width, file=StringIO())
    console.print(_table([row], width, "Publication 1"))
    shown = console.file.getvalue()  # type: ignore[attr-defined]
    assert "-1,234,567.89 EUR" in shown
    assert "254,552.65 %" in shown
    assert ("SPY 75 %" in shown) is has_weights
