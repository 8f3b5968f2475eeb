"""The index of definitions names tests that exist."""

import re
from pathlib import Path

TESTS = Path(__file__).parents[1]


def test_every_named_test_exists() -> None:
    named = re.findall(r"([\w/]+\.py)::(\w+)", (TESTS / "golden" / "definitions.md").read_text())
    assert len(named) > 60
    absent = [f"{file}::{name}" for file, name in named if f"def {name}(" not in (TESTS / file).read_text()]
    assert absent == []
