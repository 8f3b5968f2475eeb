"""The README's own example and commands, taken from its text."""

from __future__ import annotations

import json
import re
from pathlib import Path

from orchestration.settings import find_project_root
from tests.integration.test_command_line import holdfast

README = (find_project_root() / "README.md").read_text()


def test_the_worked_example_runs_as_written(database_url: str, tmp_path: Path) -> None:
    files = re.findall(r"`(inputs/[^`]+)`\n\n```(?:yaml|csv)\n(.*?)```", README, flags=re.DOTALL)
    assert [name for name, _ in files] == [
        "inputs/portfolios.yaml", "inputs/transactions/2024.csv", "inputs/prices/prices.csv",
    ]  # fmt: skip
    for name, text in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    commands = re.findall(r"^\.venv/bin/holdfast ((?:validate|run) .*)$", README, flags=re.MULTILINE)
    assert len(commands) == 2

    for command in commands:
        done = holdfast(*command.split(), home=tmp_path / "home", HOLDFAST_DATABASE_URL=database_url)
        assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads(done.stdout.splitlines()[-1])["status"] == "published"


def test_every_command_that_the_readme_lists_exists(tmp_path: Path) -> None:
    listed = set(re.findall(r"^\| `holdfast ([\w-]+(?: url)?)", README, flags=re.MULTILINE))
    assert {"run", "validate", "up", "down", "status", "report", "db url", "prepare"} <= listed
    for command in listed:
        shown = holdfast(*command.split(), "--help", home=tmp_path / "home")
        assert shown.returncode == 0, f"{command}: {shown.stderr}"


def test_every_file_that_the_readme_links_exists() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (find_project_root() / target).exists(), target
