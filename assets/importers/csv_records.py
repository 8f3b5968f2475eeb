"""CSV text of any product as records with the line at which each begins.

Belongs here: delimiters, quotes, the header, ragged records. Must not be here: what any column means.
"""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass

DELIMITERS = (",", ";", "\t")
#: Enough for any header, and within what the csv module takes for one value (a file of JSON may be a single line).
_HEADER_CHARACTERS = 65_536
_PHYSICAL_LINE = re.compile(r"[^\r\n]*+(?:\r\n|\r|\n)|[^\r\n]+\Z")


@dataclass(frozen=True)
class Record:
    """One record: the line on which it begins (from 1), its values by column, and its fields as they stood.

    `values` is empty where the number of fields is not the header's.
    """

    line: int
    values: dict[str, str]
    fields: tuple[str, ...]

    @property
    def is_ragged(self) -> bool:
        """Whether it has more or fewer fields than the header."""
        return not self.values


@dataclass(frozen=True)
class Table:
    """A CSV file: its header, the delimiter, and its records without blank ones, to be gone through once."""

    header: tuple[str, ...]
    delimiter: str
    records: Iterator[Record]


def header_of(text: str) -> tuple[tuple[str, ...], str]:
    """The names of the first line that is not blank, and the delimiter that parts it into most names."""
    found: tuple[tuple[str, ...], str] = ((), ",")
    beginning = text.lstrip()[:_HEADER_CHARACTERS]
    for delimiter in DELIMITERS:
        fields = next((fields for _, fields in _rows(beginning, delimiter)), ())
        if len(fields) > len(found[0]):
            found = (fields, delimiter)
    return found


def read_table(text: str) -> Table:
    """Read a CSV file whose header is its first line that is not blank.

    Values lose surrounding blanks. A quote that is never closed gives one long ragged record, not an error.
    """
    header, delimiter = header_of(text)
    rows = _rows(text, delimiter)
    next(rows, None)
    records = (
        Record(line, dict(zip(header, fields, strict=True)) if len(fields) == len(header) else {}, fields)
        for line, fields in rows
    )
    return Table(header, delimiter, records)


def physical_lines(text: str) -> Iterator[str]:
    """Lines with their ends, whichever these are: a line break inside quotes is part of the value.

    As io.StringIO gives them with newline="", which holds the whole text again at four bytes a character.
    """
    return (match[0] for match in _PHYSICAL_LINE.finditer(text))


def _rows(text: str, delimiter: str) -> Iterator[tuple[int, tuple[str, ...]]]:
    reader = csv.reader(physical_lines(text), delimiter=delimiter)
    before = 0
    try:
        for fields in reader:
            stripped = tuple(field.strip() for field in fields)
            if any(stripped):
                yield before + 1, stripped
            before = reader.line_num
    except (
        csv.Error
    ):  # a quote that is never closed makes one value of all that follows it, larger than the module takes
        yield before + 1, ("a quote that is never closed",)
