"""What becomes of one file, and the writing of what is new.

Belongs here: the plan of a file, its rows as canonical CSV, the files that an import writes. Must not be here: reading
or judging any row (importing, dividing).
"""

import csv
import os
import secrets
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from assets.importers.model import COLUMNS, Format, Reject
from assets.registry.secret_shapes import shown

HEADER = ("portfolio", "account", *COLUMNS)


@dataclass(frozen=True, slots=True)
class Known:
    """A row that the folder, or an earlier file of this import, holds already."""

    line: int
    place: str
    differences: str = ""


class PlannedRow(NamedTuple):
    """A new row: the source's line, its moment in microseconds since 1970, and its line of canonical CSV.

    The text alone, not its values: a file of a million rows takes a third of the memory so.
    """

    line: int
    at: int
    text: str


@dataclass
class FilePlan:
    """What becomes of one file. Each of its lines is in exactly one of the five.

    Attributes:
        rows: new ones, in the order of time.
        known: lines that are there already; `differences` where the present row says something else (it is kept).
        rejects: lines that cannot be taken.
        ignored: line -> why it moves nothing.
        elsewhere: lines of other accounts of the source.
        accounts: how many rows each account of the source has, by its own name.
        target: where the rows go, relative to the inputs folder; "" when there are none.
    """

    path: Path
    format: Format
    rows: list[PlannedRow] = field(default_factory=list)
    known: list[Known] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    ignored: dict[int, str] = field(default_factory=dict)
    elsewhere: list[int] = field(default_factory=list)
    accounts: Counter[str] = field(default_factory=Counter)
    target: str = ""

    def lines(self) -> Iterator[str]:
        """The canonical CSV of the new rows, line by line."""
        yield canonical_line(HEADER)
        yield from (row.text for row in self.rows)

    def values(self, count: int | None = None) -> list[dict[str, str]]:
        """The first rows as they will be written, by column; None = all."""
        return list(csv.DictReader((row.text for row in self.rows[:count]), HEADER))

    def settle(self, account: str) -> None:
        """Put the new rows into the order of time and name their file by what it will hold."""
        # files are mostly in the order of time, or against it; bare dates of one day keep the order of the events
        if self.rows and self.rows[0].at > self.rows[-1].at:
            self.rows.reverse()
        self.rows.sort(key=lambda row: row.at)
        self.rejects.sort(key=lambda reject: reject.line)
        if self.rows:
            digest = sha256()
            for line in self.lines():
                digest.update(line.encode())
            self.target = f"transactions/{self.format.name}-{account}-{digest.hexdigest()[:8]}.csv"


class _Passing:
    """A file of csv.writer that hands each line back instead of keeping it."""

    def write(self, text: str) -> str:
        return text


_writer = csv.writer(_Passing(), lineterminator="\n")


def canonical_line(cells: Iterable[str]) -> str:
    """One line of CSV with its end."""
    return str(_writer.writerow(cells))


def canonical_csv(rows: Iterable[Mapping[str, str]]) -> str:
    """Rows as canonical CSV with all columns."""
    return canonical_line(HEADER) + "".join(canonical_line(row.get(name, "") for name in HEADER) for row in rows)


def write_plans(plans: Iterable[FilePlan], folder: Path) -> list[Path]:
    """Write the new rows, a file for each plan that has any, and beside it a report of what it left out.

    Each file appears whole or not at all: it is written under a name that no reader takes, then renamed.
    """
    written = []
    for plan in plans:
        if plan.target:
            target = folder / plan.target
            target.parent.mkdir(parents=True, exist_ok=True)
            if plan.rejects:
                told = (f"{describe(reject, plan.format.unit)}\n" for reject in plan.rejects)
                _write_whole(target.with_suffix(".rejects.txt"), told)
            _write_whole(target, plan.lines())
            written.append(target)
    return written


def describe(reject: Reject, unit: str = "line") -> str:
    """One line that tells a reject: where, which value, what was expected and what to do."""
    where = f"{unit} {reject.line}" + (f", column {reject.column}" if reject.column else "")
    value = f"{shown(reject.value)}: " if reject.value else ""
    return f"{where}: {value}{reject.reason}" + (f"; {reject.remedy}" if reject.remedy else "")


def _write_whole(path: Path, lines: Iterable[str]) -> None:
    # names that begin with a dot are passed over by the reader of the folder
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
