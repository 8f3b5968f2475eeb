"""Which rows are new: valid rows of a file beside those that the inputs folder and the files before it hold.

Belongs here: what makes two rows one transaction. Must not be here: reading files, writing files (importing, plans).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import polars as pl

from assets.importers.model import Reject
from assets.importers.plans import FilePlan, Known, PlannedRow
from assets.registry.csv_files import SAME_TRANSACTION
from assets.registry.csv_text import LINE
from assets.registry.sources import Batch

# What makes two rows one event where one of them, written by hand, has no id of its own.
_EVENT = (
    "executed_at", "is_date_only", "type", "instrument_id", "quantity", "price", "amount", "currency", "fee",
    "fee_currency", "tax",
)  # fmt: skip

_Event = tuple[object, ...]


class ReadyRow(NamedTuple):
    """A row with portfolio, account and id: the source's line, its id, its line of canonical CSV."""

    line: int
    external_id: str
    text: str


class _Rows:
    """Rows that were read, as a frame without the columns that say nothing; and where each of them stands."""

    def __init__(self, frame: pl.DataFrame, place: str, lines: Sequence[int]) -> None:
        self.frame = frame.select(
            name for name in SAME_TRANSACTION.content if frame[name].null_count() < frame.height
        ).rechunk()
        self.place, self.lines = place, lines


class _Row(NamedTuple):
    """One of them; a million of these stand for a million rows."""

    rows: _Rows
    number: int

    @property
    def place(self) -> str:
        return f"{self.rows.place}{self.rows.lines[self.number]}"

    def content(self) -> dict[str, object]:
        return self.rows.frame.row(self.number, named=True)

    def event(self) -> _Event:
        content = self.content()
        return tuple(content.get(name) for name in _EVENT)

    def differences(self, here: "_Row") -> str:
        """What `here` says otherwise."""
        old, new = self.content(), here.content()
        different = [name for name in SAME_TRANSACTION.content if old.get(name) != new.get(name)]
        return ", ".join(f"{name} {_shown(old.get(name))} there, {_shown(new.get(name))} here" for name in different)


@dataclass
class Present:
    """Rows of one account in the folder and in files planned before: by their id, those without one by their event."""

    by_id: dict[str, _Row] = field(default_factory=dict)
    without_id: dict[_Event, list[str]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of(cls, batches: Iterable[Batch], portfolio: str, account: str) -> "Present":
        """The rows of the account in batches of transactions."""
        present = cls()
        for batch in batches:
            if batch.kind == "transactions":
                is_own = (pl.col("portfolio_id") == portfolio) & (pl.col("account_id") == account)
                frame = batch.rows.filter(is_own)
                rows = _Rows(frame, f"{batch.path}:", frame[LINE].to_list())
                for index, external_id in enumerate(frame["external_id"]):
                    row = _Row(rows, index)
                    if external_id is None:
                        present.without_id[row.event()].append(row.place)
                    else:
                        present.by_id.setdefault(external_id, row)
        return present


@dataclass
class Division:
    """Parts the valid rows of one file into new and known ones, as they come."""

    plan: FilePlan
    present: Present
    _first: dict[str, _Row] = field(default_factory=dict)

    def add(self, taken: Sequence[ReadyRow], frame: pl.DataFrame) -> None:
        """Part some more of the file's rows.

        Args:
            taken: the rows.
            frame: the same as the inputs folder's reader gives them, with `line`: row i stands on line i + 2. It
                keeps one of equal rows with one id.
        """
        where = {line - 2: index for index, line in enumerate(frame[LINE])}
        unit = self.plan.format.unit
        lines = [taken[line - 2].line for line in frame[LINE]]
        rows = _Rows(frame, f"{self.plan.path.name}, {unit} ", lines)
        moments = frame["executed_at"].dt.epoch("us").to_list()
        for index, ready in enumerate(taken):
            own = ready.external_id
            row = _Row(rows, where[index]) if index in where else self._first[own]
            first = self._first.setdefault(own, row)
            there = self.present.by_id.get(own)
            if first is not row and (found := first.differences(row)):
                earlier = first.rows.lines[first.number]
                reason = f"expected one transaction for one id; {unit} {earlier} has it with {found}"
                self.plan.rejects.append(Reject(ready.line, "external_id", own, reason, "correct one of the two"))
            elif there is not None:
                self.plan.known.append(Known(ready.line, there.place, there.differences(row)))
            elif self.present.without_id and (places := self.present.without_id.get(row.event())):
                self.plan.known.append(Known(ready.line, places.pop(0)))
            else:
                self.present.by_id[own] = row
                self.plan.rows.append(PlannedRow(ready.line, moments[row.number], ready.text))


def _shown(value: object) -> str:
    return "empty" if value is None else str(value)
