"""Sources: where batches of observations come from.

Belongs here: the protocol that the folder of files, and later chains, exchanges and market data, fulfil.
Must not be here: how any source works, or the database.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

import polars as pl

Kind = Literal["transactions", "prices", "balances", "corporate_actions"]


@dataclass(frozen=True, slots=True)
class Window:
    """What is asked of a source: observations in [start, end]; None = without bound."""

    start: datetime | None = None
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Observations received together; the unit of acceptance.

    Attributes:
        kind: which raw table the rows go to.
        path: where they came from, stable from fetch to fetch: a file's path, or a request's own key.
        content_hash: sha256 hex of what was received; an equal hash at an equal path is the same batch.
        rows: columns of `raw.<kind>` without `batch_id`; decimals as text, so that no digit is lost.
        quarantined: rows set aside, columns `line, instrument_id, column_name, value, reason, expectation, row_text`.
    """

    kind: Kind
    path: str
    content_hash: str
    rows: pl.DataFrame
    quarantined: pl.DataFrame

    @property
    def row_count(self) -> int:
        """All rows received, also those set aside."""
        return self.rows.height + self.quarantined.height

    @property
    def refusal(self) -> str | None:
        """Why the batch as a whole is rejected: more than half of its rows were set aside."""
        if self.quarantined.height * 2 > self.row_count:
            return f"{self.quarantined.height} of {self.row_count} rows quarantined, more than half"
        return None


class Source(Protocol):
    """Something that can be asked for batches; what it gives is landed by one code path."""

    @property
    def name(self) -> str:
        """Stable name, as in `raw.batches.source`."""

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """What it can give."""

    def fetch(self, window: Window) -> Iterable[Batch]:
        """Give the batches of a window."""


def no_quarantine() -> pl.DataFrame:
    """An empty frame of quarantined rows."""
    names = ("instrument_id", "column_name", "value", "reason", "expectation", "row_text")
    return pl.DataFrame(schema={"line": pl.Int32, **dict.fromkeys(names, pl.String)})
