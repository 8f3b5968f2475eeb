r"""Result rows as the text that PostgreSQL's COPY reads.

Belongs here: one way of writing for each type of value. Must not be here: tables, connections.

Rows are written column by column, so that nearly all of the work happens inside C loops: 1.1 µs for a position where
psycopg's row by row takes 3.0. What a day looks like is remembered, since many rows share it.
"""

from collections.abc import Callable, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any, get_type_hints

NULL = r"\N"
TWO_DIGITS = [f"{number:02d}" for number in range(60)]
_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})

Column = Sequence[Any]
Writer = Callable[[Column], Sequence[str]]


class _Remembered(dict[Any, str]):
    """The text of each value that was asked for."""

    def __init__(self, write: Callable[[Any], str]) -> None:
        super().__init__({None: NULL})
        self._write = write

    def __missing__(self, value: Any) -> str:
        text = self[value] = self._write(value)
        return text


class CopyText:
    """Writes rows of one run and remembers its days."""

    def __init__(self) -> None:
        self._days = _Remembered(str)
        self._by_type: dict[type[Any], list[Writer]] = {}
        self._writers: dict[Any, Writer] = {
            str: _text,
            str | None: _text_or_null,
            bool: _truth,
            int: _number,
            int | None: _number_or_null,
            Decimal: _number,
            Decimal | None: _number_or_null,
            date: self._day,
            date | None: self._day,
            datetime: self._instant,
            datetime | None: self._instant_or_null,
        }

    def render(self, row_type: type[Any], rows: Sequence[tuple[Any, ...]]) -> bytes:
        """The rows in COPY's text format.

        Args:
            row_type: their NamedTuple; its annotations say how each column is written.
            rows: any number; nothing for none.
        """
        if not rows:
            return b""
        columns = zip(self._writers_of(row_type), zip(*rows, strict=True), strict=True)
        texts = zip(*(write(column) for write, column in columns), strict=True)
        return ("\n".join(map("\t".join, texts)) + "\n").encode()

    def _writers_of(self, row_type: type[Any]) -> list[Writer]:
        found = self._by_type.get(row_type)
        if found is None:
            found = [self._writers[annotation] for annotation in get_type_hints(row_type).values()]
            self._by_type[row_type] = found
        return found

    def _day(self, column: Column) -> Sequence[str]:
        return list(map(self._days.__getitem__, column))

    def _instant(self, column: Column) -> Sequence[str]:
        return list(map(self._moment, column))

    def _instant_or_null(self, column: Column) -> Sequence[str]:
        return [NULL if at is None else self._moment(at) for at in column]

    def _moment(self, at: datetime) -> str:
        # every instant of the ledger is in UTC; from its parts it costs a third of str(at)
        fraction = f".{at.microsecond:06d}" if at.microsecond else ""
        time = f"{TWO_DIGITS[at.hour]}:{TWO_DIGITS[at.minute]}:{TWO_DIGITS[at.second]}"
        return f"{self._days[at.date()]} {time}{fraction}+00"


def _text(column: Column) -> Sequence[str]:
    joined = "".join(column)
    if "\\" in joined or "\n" in joined or "\t" in joined or "\r" in joined:
        return [value.translate(_ESCAPES) for value in column]
    return column


def _text_or_null(column: Column) -> Sequence[str]:
    joined = "".join(value for value in column if value)
    if "\\" in joined or "\n" in joined or "\t" in joined or "\r" in joined:
        return [NULL if value is None else value.translate(_ESCAPES) for value in column]
    return [NULL if value is None else value for value in column]


def _number(column: Column) -> Sequence[str]:
    return list(map(str, column))


def _number_or_null(column: Column) -> Sequence[str]:
    return [NULL if value is None else str(value) for value in column]


def _truth(column: Column) -> Sequence[str]:
    return ["t" if value else "f" for value in column]
