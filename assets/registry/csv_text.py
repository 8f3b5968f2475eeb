"""Strict reading of CSV text: bytes into a frame of strings, with the line at which each row begins.

Belongs here: encoding, quotes, header, number of fields per row. Must not be here: what any column means.
"""

import csv
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from assets.registry.identifiers import suggestion
from assets.registry.problems import PROBLEMS_PER_FILE, FileProblems

LINE = "line"
_QUOTE, _COMMA, _NEWLINE = ord('"'), ord(","), ord("\n")
_Positions = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of one kind of file: those that must be there, and those that may."""

    required: tuple[str, ...]
    optional: tuple[str, ...] = ()

    @property
    def all(self) -> tuple[str, ...]:
        """Every column, required ones first."""
        return self.required + self.optional


@dataclass(frozen=True, slots=True)
class _Records:
    """Where the records are: starts and ends as offsets, line numbers from 1, number of fields."""

    starts: _Positions
    ends: _Positions
    lines: _Positions
    fields: _Positions

    def __getitem__(self, which: NDArray[np.bool_] | slice) -> "_Records":
        return _Records(self.starts[which], self.ends[which], self.lines[which], self.fields[which])


def read_csv_text(data: bytes, columns: Columns, problems: FileProblems) -> pl.DataFrame | None:
    """Read a CSV file as text.

    Values lose surrounding blanks; an empty value is null. Columns that the file leaves out are null throughout.
    Blank lines are passed over; a row with too many or too few fields is a problem and left out of the frame.

    Args:
        data: the file's bytes.
        columns: what its header may and must hold.
        problems: collects what is wrong.

    Returns:
        A frame of strings with the columns of `columns.all`, then `line` (Int32: where the row begins in the file,
        from 1, also when quoted values hold line breaks); None when not even the header can be read.
    """
    text = _decoded(data, problems)
    if text is None:
        return None
    records = _records(text, problems)
    if records is None:
        return None
    header = next(csv.reader([text[records.starts[0] : records.ends[0]].decode()]))
    names = [name.strip() for name in header]
    if not _is_good_header(names, int(records.lines[0]), columns, problems):
        return None
    rows = records[1:]
    is_ragged = rows.fields != len(names)
    _report_ragged(rows[is_ragged], len(names), problems)
    rows = rows[~is_ragged]
    frame = _parse(_body(text, rows), names, len(rows.starts))
    missing = [pl.lit(None, pl.String).alias(name) for name in columns.all if name not in names]
    lines = pl.Series(LINE, rows.lines, dtype=pl.Int32)
    return frame.with_columns(missing).select(*columns.all).with_columns(lines)


def _decoded(data: bytes, problems: FileProblems) -> bytes | None:
    """UTF-8 with line feeds only, ending with one; a byte order mark is passed over."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        problems.add(1, None, None, "UTF-8 text (this is UTF-16)", "save the file as CSV UTF-8")
        return None
    data = data.removeprefix(b"\xef\xbb\xbf")
    try:
        data.decode()
    except UnicodeDecodeError as error:
        problems.add(_line_at(data, error.start), None, None, "UTF-8 text", "save the file as CSV UTF-8")
        return None
    if b"\x00" in data:
        problems.add(_line_at(data, data.index(b"\x00")), None, None, "text without NUL characters", "save it again")
        return None
    if b"\r" in data:
        data = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if not data.strip():
        problems.add(1, None, None, "a header line", "the file is empty: write the header, or remove the file")
        return None
    return data if data.endswith(b"\n") else data + b"\n"


def _line_at(data: bytes, offset: int) -> int:
    return data.count(b"\n", 0, offset) + 1


def _records(text: bytes, problems: FileProblems) -> _Records | None:
    """Find the records by counting quotes: outside of quotes, commas part fields and line feeds part records."""
    raw = np.frombuffer(text, dtype=np.uint8)
    newlines = np.flatnonzero(raw == _NEWLINE)
    commas = np.flatnonzero(raw == _COMMA)
    quotes = np.flatnonzero(raw == _QUOTE)
    if len(quotes):
        if not _are_quotes_sound(raw, quotes, newlines, problems):
            return None
        all_newlines = newlines
        newlines = newlines[np.searchsorted(quotes, newlines) % 2 == 0]
        commas = commas[np.searchsorted(quotes, commas) % 2 == 0]
    starts = np.concatenate([[0], newlines[:-1] + 1])
    lines = np.searchsorted(all_newlines, starts) + 1 if len(quotes) else np.arange(1, len(starts) + 1)
    fields = np.searchsorted(commas, newlines) - np.searchsorted(commas, starts) + 1
    records = _Records(starts, newlines, lines, fields)
    # A line of blanks only is no record; only lines with one field can be one.
    is_blank = newlines == starts
    for index in np.flatnonzero((fields == 1) & ~is_blank):
        is_blank[index] = not text[starts[index] : newlines[index]].strip()
    return records[~is_blank] if is_blank.any() else records


def _are_quotes_sound(raw: NDArray[np.uint8], quotes: _Positions, newlines: _Positions, problems: FileProblems) -> bool:
    """A quote may open a field, close it, or be doubled inside one; anything else would shift the columns."""
    before = np.where(quotes > 0, raw[np.maximum(quotes - 1, 0)], _NEWLINE)
    after = raw[np.minimum(quotes + 1, len(raw) - 1)]
    is_opening = np.arange(len(quotes)) % 2 == 0
    is_bad = np.where(
        is_opening,
        (before != _COMMA) & (before != _NEWLINE) & (before != _QUOTE),
        (after != _COMMA) & (after != _NEWLINE) & (after != _QUOTE),
    )
    if len(quotes) % 2 and not is_bad.any():
        is_bad[-1] = True
    expected = "quotes only around a whole value, doubled inside it"
    for offset in quotes[is_bad][:1]:
        line = int(np.searchsorted(newlines, offset)) + 1
        problems.add(line, None, None, expected, 'close the quote, or write "" for a quote inside a quoted value')
    return not bool(is_bad.any())


def _is_good_header(names: list[str], line: int, columns: Columns, problems: FileProblems) -> bool:
    expected = f"a header with the columns {', '.join(columns.required)}"
    if columns.optional:
        expected += f" and, if needed, {', '.join(columns.optional)}"
    if len(names) == 1 and any(mark in names[0] for mark in ";\t|"):
        problems.add(line, None, names[0], expected, "part the columns with commas")
        return False
    for name in dict.fromkeys(names):
        if name not in columns.all:
            remedy = suggestion(name, columns.all) or "remove the column"
            problems.add(line, name or "(no name)", name, expected, remedy)
        elif names.count(name) > 1:
            problems.add(line, name, name, "each column once", "remove or rename one of the two")
    for name in missing_from(names, columns.required):
        problems.add(line, name, None, f"the column {name}", "add it to the header and to each row")
    return not problems


def missing_from(names: Collection[str], required: Collection[str]) -> list[str]:
    """The required names that are not there."""
    return [name for name in required if name not in names]


def _report_ragged(rows: _Records, width: int, problems: FileProblems) -> None:
    for line, count in zip(rows.lines[:PROBLEMS_PER_FILE], rows.fields, strict=False):
        remedy = "a value that holds a comma stands in quotes" if count > width else "keep empty columns: ,,"
        problems.add(int(line), None, None, f"{width} values as in the header, found {count}", remedy)
    problems.add_more(max(0, len(rows.lines) - PROBLEMS_PER_FILE))


def _body(text: bytes, rows: _Records) -> bytes:
    """The bytes of the rows alone; one slice when nothing lies between them."""
    if not len(rows.starts):
        return b""
    if (rows.starts[1:] == rows.ends[:-1] + 1).all():
        return text[rows.starts[0] : rows.ends[-1] + 1]
    return b"".join(text[start : end + 1] for start, end in zip(rows.starts, rows.ends, strict=True))


def _parse(body: bytes, names: list[str], height: int) -> pl.DataFrame:
    schema = dict.fromkeys(names, pl.String)
    if not height:
        return pl.DataFrame(schema=schema)
    frame = pl.read_csv(body, has_header=False, schema=schema, infer_schema=False)
    if frame.height != height:
        # The structure was checked by counting quotes, so this cannot happen unless the two readers disagree.
        raise RuntimeError(f"{frame.height} rows read, {height} counted")
    stripped = pl.all().str.strip_chars()
    return frame.select(pl.when(stripped != "").then(stripped))
