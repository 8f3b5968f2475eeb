"""How a run ended, in a form that scripts can read.

Belongs here: the summary of the contract and the exit codes. Must not be here: Dagster, the database: what is refused
before a run begins is told without either.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

#: Exit codes of `holdfast run`, by status.
EXIT_CODES = {"published": 0, "unchanged": 0, "failed": 1, "rejected": 2, "held": 3}


@dataclass(frozen=True)
class Outcome:
    """How a run ended: the summary of the contract, and what to tell a person."""

    summary: dict[str, Any]
    messages: tuple[str, ...] = ()

    @property
    def exit_code(self) -> int:
        """0 published or unchanged, 1 crash, 2 bad inputs, 3 held."""
        return EXIT_CODES[self.summary["status"]]

    def to_json(self) -> str:
        """The one-line summary."""
        return json.dumps(self.summary, default=str)


def summary(
    status: str,
    *,
    publication_id: int | None = None,
    as_of: datetime | None = None,
    portfolios: int = 0,
    held_portfolios: Sequence[str] = (),
    failed_checks: Sequence[str] = (),
    changed_rows: int = 0,
) -> dict[str, Any]:
    """The summary of the contract; without more than a status that of a run which published nothing."""
    return {
        "publication_id": publication_id,
        "status": status,
        "as_of": as_of.isoformat() if as_of else None,
        "portfolios": portfolios,
        "held_portfolios": [*held_portfolios],
        "failed_checks": [*failed_checks],
        "changed_rows": changed_rows,
    }


def rejected(messages: Iterable[str]) -> Outcome:
    """Bad inputs: nothing was written."""
    return Outcome(summary("rejected"), tuple(messages))
