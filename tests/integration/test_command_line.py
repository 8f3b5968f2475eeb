"""The command as people run it: a process of its own, Dagster's events in PostgreSQL, exit codes and the last line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from tests.pipeline_runs import one, two_portfolios

HOLDFAST = Path(sys.executable).with_name("holdfast")


def holdfast(
    *arguments: str | Path, home: Path, cwd: Path | None = None, **environment: str
) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("HOLDFAST_", "DAGSTER_"))}
    return subprocess.run(
        [HOLDFAST, *arguments], env={**kept, "HOLDFAST_HOME": str(home), "HOLDFAST_SOURCES": "none", **environment},
        capture_output=True, text=True, check=False, timeout=240, cwd=cwd or home.parent,
    )  # fmt: skip


def test_run_status_and_report(database_url: str, tmp_path: Path) -> None:
    inputs, home = two_portfolios(tmp_path / "inputs"), tmp_path / "home"

    done = holdfast("run", "--inputs", inputs, "--as-of", "2024-01-10", "--database-url", database_url, home=home)

    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert set(summary) == {
        "publication_id", "status", "as_of", "portfolios", "held_portfolios", "failed_checks", "changed_rows",
    }  # fmt: skip
    assert summary["status"] == "published"
    assert summary["changed_rows"] > 0
    assert "cash-and-stock" in done.stdout
    assert "publication" in done.stderr  # progress is shown while it works
    # the run is one of Dagster's, in the same database
    assert one(database_url, "select count(*) from dagster.runs where pipeline_name = 'daily_portfolio'") == 1

    again = holdfast("run", "--inputs", inputs, "--as-of", "2024-01-10", "--database-url", database_url, home=home)
    assert json.loads(again.stdout.splitlines()[-1])["status"] == "unchanged"

    shown = holdfast("status", home=home, HOLDFAST_DATABASE_URL=database_url)
    assert shown.returncode == 0, shown.stderr
    assert "cash-and-stock" in shown.stdout

    reported = holdfast("report", home=home, HOLDFAST_DATABASE_URL=database_url)
    assert reported.returncode == 0, reported.stderr
    page = (home / "report.html").read_text()
    assert "cash-and-stock" in page
    assert "http://" not in page.replace("http://www.w3.org", "")


def test_validate_names_every_problem(tmp_path: Path) -> None:
    inputs = two_portfolios(tmp_path / "inputs")
    (inputs / "prices" / "prices.csv").write_text(
        "instrument,priced_at,price,currency\netf:SPY,2024-13-01,1,USD\netf:SPY,2024-01-01,x,USD\n"
    )

    refused = holdfast("validate", "--inputs", inputs, home=tmp_path / "home")

    assert refused.returncode == 2
    assert "prices.csv:2" in refused.stdout
    assert "prices.csv:3" in refused.stdout
    assert "2 problems" in refused.stdout

    valid = holdfast("validate", "--inputs", two_portfolios(tmp_path / "good"), home=tmp_path / "home")
    assert valid.returncode == 0


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["run", "--inputs", "nowhere"], 2, "no folder"),
        (["run"], 2, "HOLDFAST_INPUTS"),
    ],
)
def test_mistakes_are_named(arguments: list[str], code: int, said: str, database_url: str, tmp_path: Path) -> None:
    failed = holdfast(*arguments, home=tmp_path / "home", HOLDFAST_DATABASE_URL=database_url)

    assert failed.returncode == code, failed.stdout + failed.stderr
    assert said in failed.stderr
    assert "Traceback" not in failed.stderr


@pytest.mark.parametrize(("as_of", "said"), [("yesterday", "no date or time"), ("2999-01-01", "lies in the future")])
def test_an_as_of_that_nobody_can_describe_starts_nothing(as_of: str, said: str, tmp_path: Path) -> None:
    home = tmp_path / "home"
    refused = holdfast("run", "--inputs", two_portfolios(tmp_path / "inputs"), "--as-of", as_of, home=home)

    assert refused.returncode == 2
    assert said in refused.stderr
    assert json.loads(refused.stdout)["status"] == "rejected"
    assert not home.exists()  # neither settings nor a server were made for it


def test_an_unreachable_database_is_one_clear_line(tmp_path: Path) -> None:
    failed = holdfast(
        "run", "--inputs", two_portfolios(tmp_path / "inputs"), home=tmp_path / "home",
        HOLDFAST_DATABASE_URL="postgresql://user:hidden-word@127.0.0.1:1/none",
    )  # fmt: skip

    assert failed.returncode == 1
    assert "127.0.0.1" in failed.stderr
    assert "hidden-word" not in failed.stderr + failed.stdout
    assert "Traceback" not in failed.stderr


def test_what_cannot_start_says_why(empty_database_url: str, tmp_path: Path) -> None:
    """The database is found by a resource, before any step: its failure must not be silent."""
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        connection.execute("create schema ops")
        connection.execute(
            "create table ops.schema_migrations (version integer primary key, name text not null,"
            " content_hash text not null, applied_at timestamptz not null default now())"
        )
        connection.execute("insert into ops.schema_migrations values (9999, '9999_later.sql', 'x')")
    inputs, home = two_portfolios(tmp_path / "inputs"), tmp_path / "home"
    done = holdfast("run", "--inputs", inputs, "--database-url", empty_database_url, home=home)
    assert done.returncode == 1
    assert json.loads(done.stdout.splitlines()[-1])["status"] == "failed"
    assert "9999_later.sql" in done.stderr
    assert "newer Holdfast" in done.stderr
    assert "Traceback" not in done.stderr
