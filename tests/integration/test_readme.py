"""The README's own example and commands, taken from its text."""

from __future__ import annotations

import json
import re

import psycopg
import pytest
from typer.testing import CliRunner

from orchestration.command_line import app
from orchestration.settings import find_project_root
from tests.conftest import make_home, remove_home
from tests.integration.test_command_line import holdfast

README = (find_project_root() / "README.md").read_text()


def test_the_worked_example_runs_as_written_on_the_embedded_server_which_takes_readers() -> None:
    """Without any URL: the server starts, keeps running after the command, and `bi_reader` can log in and only read."""
    files = re.findall(r"`(inputs/[^`]+)`\n\n```(?:yaml|csv)\n(.*?)```", README, flags=re.DOTALL)
    assert [name for name, _ in files] == [
        "inputs/portfolios.yaml", "inputs/transactions/2024.csv", "inputs/prices/prices.csv",
    ]  # fmt: skip
    commands = re.findall(r"^\.venv/bin/holdfast ((?:validate|run) .*)$", README, flags=re.MULTILINE)
    assert len(commands) == 2
    home = make_home()
    try:
        for name, text in files:
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            (home / name).write_text(text)

        for command in commands:
            done = holdfast(*command.split(), home=home, cwd=home)
            assert done.returncode == 0, done.stdout + done.stderr
        summary = json.loads(done.stdout.splitlines()[-1])
        assert summary["status"] == "published"
        assert summary["portfolios"] > 0

        url = holdfast("db", "url", "--reader", home=home).stdout.strip()
        with psycopg.connect(url, autocommit=True) as connection:
            seen = connection.execute("select current_user, count(*) from marts.portfolios").fetchone()
            assert seen == ("bi_reader", summary["portfolios"])
            with pytest.raises(psycopg.Error):
                connection.execute("create table bi.mine (a int)")
        assert "postgresql://" in holdfast("db", "url", home=home).stdout
        assert holdfast("down", home=home).stdout.strip() == "stopped"
    finally:
        remove_home(home)


def test_every_command_that_the_readme_lists_exists() -> None:
    listed = set(re.findall(r"^\| `holdfast ([\w-]+(?: url)?)", README, flags=re.MULTILINE))
    assert {"run", "validate", "up", "down", "status", "report", "db url", "prepare"} <= listed
    for command in listed:
        shown = CliRunner().invoke(app, [*command.split(), "--help"])
        assert shown.exit_code == 0, f"{command}: {shown.output}"


def test_every_file_that_the_readme_links_exists() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (find_project_root() / target).exists(), target
