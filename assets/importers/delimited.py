"""Delimited text as products export it: lines with their numbers, numbers, times, and what became of each line.

Belongs here: finding the header, cells by name, decimals, instants, stable ids, the account of every line.
Must not be here: what any column of any product means.
"""

import csv
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, tzinfo
from decimal import Decimal, localcontext
from hashlib import sha256
from itertools import dropwhile, islice

from assets.importers.csv_records import DELIMITERS, physical_lines
from assets.importers.model import CanonicalRow, Parsed, Reject, Symbols, UnknownSymbolError
from assets.registry.identifiers import Refusal, held_instrument_id
from assets.registry.secret_shapes import secret_kind

_PREAMBLE_RECORDS = 15
_FIRST_YEAR = 1900
_LARGEST_EXPONENT = 40
_PRECISION = 200  # a product of two numbers of a line stays exact
_KEPT_ONCE = 4096
_NUMBER = re.compile(r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]{1,2})?")
_GROUPED = re.compile(r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")
# Where cells are parted otherwise, 1,250 may be one and a quarter: a spreadsheet in another language writes it so.
_EITHER = re.compile(r"[+-]?[0-9]{1,3}(?:,[0-9]{3})+")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_BLANKS = re.compile(r"[\s\x00-\x1f\x7f]+")  # line breaks in a cell too: a value of the ledger is one line
_MAP_REMEDY = "say what it is with --map SYMBOL=INSTRUMENT, as in --map XYZ=crypto:XYZ"


class Refused(ValueError):  # noqa: N818 -- an answer to a value, no error of the program
    """A value of a line that cannot become part of a transaction."""

    def __init__(self, column: str, value: str, reason: str, remedy: str) -> None:
        self.column, self.value, self.reason, self.remedy = column, value, reason, remedy
        super().__init__(f"{column}: {value!r}: {reason}; {remedy}")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of data; lines of one header share the places of its columns, which a file of a million needs.

    Attributes:
        number: where it begins in the file, from 1.
        places: column -> its place among `values`.
        values: texts in one line each, without surrounding blanks; none where there is a problem.
        problem: why it has no values, "" where it has.
    """

    number: int
    places: dict[str, int]
    values: tuple[str, ...]
    problem: str = ""

    def __getitem__(self, column: str) -> str:
        place = self.places.get(column)
        return "" if place is None else self.values[place]

    @property
    def cells(self) -> dict[str, str]:
        """Column -> text."""
        return {column: self.values[place] for column, place in self.places.items()}

    @property
    def digest(self) -> str:
        """Stable over the order and the number of columns: only names and values that are not empty count."""
        pairs = sorted(f"{name}\x1f{value}" for name, value in self.cells.items() if value)
        return sha256("\x1e".join(pairs).encode()).hexdigest()[:24]


def header_of(text: str, is_header: Callable[[frozenset[str]], bool]) -> list[str] | None:
    """The first of the leading records that `is_header` takes for the header, or None."""
    return _header(text, is_header)[0]


def read_lines(text: str, is_header: Callable[[frozenset[str]], bool]) -> tuple[list[str], Iterator[Line]]:
    """The columns and, one by one, the lines of data below them; a header repeated further down is passed over as well.

    The products write commas; a file that a spreadsheet has saved again may have semicolons or tabs.

    Returns:
        No columns and no lines where there is no header.
    """
    header, delimiter = _header(text, is_header)
    return header or [], _lines(text, header, delimiter) if header else iter(())


def _lines(text: str, header: list[str], delimiter: str) -> Iterator[Line]:
    places = {name: place for place, name in enumerate(header) if name}
    once = Once()
    below = dropwhile(lambda record: record.cells != header, _records(text, delimiter))
    for record in below:
        if record.cells != header:
            yield _line(record, places, len(header), delimiter, once)


class Once:
    """Keeps one object of texts that repeat, such as codes of currencies; of the first few thousand different ones."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}

    def __call__(self, text: str) -> str:
        """The text, as the object that was met first."""
        return self._known.setdefault(text, text) if len(self._known) < _KEPT_ONCE else self._known.get(text, text)


def _header(text: str, is_header: Callable[[frozenset[str]], bool]) -> tuple[list[str] | None, str]:
    for delimiter in DELIMITERS:
        for record in islice(_records(text, delimiter), _PREAMBLE_RECORDS):
            if is_header(frozenset(record.cells)):
                return record.cells, delimiter
    return None, ""


@dataclass(frozen=True, slots=True)
class _Record:
    """Cells that stand in the lines `begins` to `ends`; `error` where they could not be parted."""

    begins: int
    ends: int
    cells: list[str]
    error: str = ""


def _line(record: _Record, places: dict[str, int], width: int, delimiter: str, once: Once) -> Line:
    cells = record.cells
    while len(cells) > width and not cells[-1]:
        cells = cells[:-1]
    if record.error or len(cells) != width:
        problem = record.error or f"{width} values as in the header, found {len(cells)}"
        if record.ends > record.begins:
            problem += f", in the lines up to {record.ends}: a quote may not be closed"
        return Line(record.begins, {}, (), problem)
    either = next((cell for cell in cells if delimiter != "," and _EITHER.fullmatch(cell)), None)
    if either is not None:
        problem = (
            f"{either} may have a decimal comma or a comma between thousands, in a file without commas between cells"
        )
        return Line(record.begins, {}, (), problem)
    return Line(record.begins, places, tuple(map(once, cells)))


def _records(text: str, delimiter: str) -> Iterator[_Record]:
    """Records that are not blank, with the numbers of their lines."""
    reader = csv.reader(physical_lines(text.removeprefix("\ufeff")), delimiter=delimiter)
    begins = 1
    while True:
        try:
            cells = [_BLANKS.sub(" ", cell).strip() for cell in next(reader)]
        except StopIteration:
            return
        except csv.Error as error:
            yield _Record(begins, reader.line_num, [], str(error))
        else:
            if any(cells):
                yield _Record(begins, reader.line_num, cells)
        begins = reader.line_num + 1


@dataclass
class Account:
    """What became of each line: rows, rejects, ignored; and the ids that stay the same over overlapping exports."""

    parsed: Parsed = field(default_factory=Parsed)
    _ids: Counter[str] = field(default_factory=Counter)
    _lines: dict[str, int] = field(default_factory=dict)

    def add(self, line: int, values: dict[str, str], account: str = "") -> None:
        """Note a transaction."""
        self.parsed.rows.append(CanonicalRow.of(line, values, account))

    def ignore(self, line: int, why: str) -> None:
        """Note a line that moves nothing of its own."""
        before = self.parsed.ignored.get(line)
        self.parsed.ignored[line] = f"{before}; {why}" if before else why

    def reject(self, line: int, refused: Refused) -> None:
        """Note a line that could not become a transaction."""
        self.parsed.rejects.append(Reject(line, refused.column, refused.value, refused.reason, refused.remedy))

    def is_repeated(self, line: Line, own: str) -> bool:
        """Whether the source's own id, one of the line's cells, stood on an equal line before; it is then ignored."""
        if not own:
            return False
        digest = line.digest
        if digest not in self._lines:
            self._lines[digest] = line.number
            return False
        self.ignore(line.number, f"repeats line {self._lines[digest]}")
        return True

    def identity(self, line: Line, own: str = "") -> str:
        """The source's own id, else one made of the line's content; numbered where it occurs again."""
        return self._numbered(own or f"line-{line.digest}")

    def identity_of(self, facts: list[str]) -> str:
        """An id made of facts that every generation of a layout tells alike; numbered where they occur again."""
        return self._numbered("line-" + sha256("\x1f".join(facts).encode()).hexdigest()[:24])

    def _numbered(self, known: str) -> str:
        self._ids[known] += 1
        occurrence = self._ids[known]
        return known if occurrence == 1 else f"{known}-{occurrence}"

    def each(self, lines: Iterable[Line], read: Callable[[Line], None]) -> None:
        """Read line by line; what a line refuses becomes its reject."""
        with localcontext() as context:
            context.prec = _PRECISION
            for line in lines:
                try:
                    if line.problem:
                        raise Refused("", "", line.problem, "export the file again, or mend the line")
                    read(line)
                except Refused as refused:
                    self.reject(line.number, refused)


def number(text: str, column: str) -> Decimal:
    """A decimal, with a point; commas only between thousands.

    Raises:
        Refused: it is none.
    """
    plain_text = text.replace(",", "") if _GROUPED.fullmatch(text) else text
    if not _NUMBER.fullmatch(plain_text):
        raise Refused(column, text, "a decimal number was expected", "export the file again in English")
    value = Decimal(plain_text)
    if value and not -_LARGEST_EXPONENT < value.adjusted() < _LARGEST_EXPONENT:
        raise Refused(column, text, "a number that an account can hold was expected", "mend the line")
    return value


def number_or_zero(text: str, column: str) -> Decimal:
    """As `number`; an empty cell is 0.

    Raises:
        Refused: there is something else than a decimal.
    """
    return number(text, column) if text else Decimal(0)


def positive(value: Decimal, column: str, text: str) -> Decimal:
    """The value, where it is above 0.

    Raises:
        Refused: it is not.
    """
    if value <= 0:
        raise Refused(column, text, "a number above 0 was expected", "leave the line out if nothing moved")
    return value


def plain(value: Decimal) -> str:
    """A decimal in its shortest spelling without an exponent."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def plain_or_empty(value: Decimal) -> str:
    """As `plain`; 0 is left empty."""
    return plain(value) if value else ""


def instant(text: str, column: str, zone: tzinfo = UTC) -> str:
    """A time in UTC as ISO 8601; a bare date stays one.

    Args:
        text: `2024-03-01`, `2024-03-01 09:30:00[.123]`, with `T`, `Z`, `UTC` or an offset.
        column: for the refusal.
        zone: of times that name none.

    Raises:
        Refused: it is no time.
    """
    cleaned = re.sub(r"\s*(?:UTC|Z)$", "+00:00", text.strip())
    try:
        moment = datetime.fromisoformat(cleaned)
        at = utc(moment if moment.tzinfo else moment.replace(tzinfo=zone))
    except (ValueError, OverflowError):
        expected = "a date or time such as 2024-03-01 09:30:00 was expected, from 1900 on"
        raise Refused(column, text, expected, "export the file again, or mend the line") from None
    return cleaned if _DATE.fullmatch(cleaned) else at


def utc(moment: datetime) -> str:
    """An aware time in UTC as ISO 8601.

    Raises:
        ValueError: it is before 1900, as the ledger takes none.
    """
    if moment.year < _FIRST_YEAR:
        raise ValueError(f"the year {moment.year} is before 1900")
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def currency(symbols: Symbols, symbol: str, column: str) -> str:
    """The instrument of a money or coin.

    Raises:
        Refused: nothing is known of the symbol.
    """
    if not symbol:
        raise Refused(column, symbol, "the symbol of a currency or coin was expected", "fill it in")
    return _known(lambda: symbols.currency(symbol), symbol, column)


def security(symbols: Symbols, ticker: str, isin: str, asset_class: str, column: str) -> str:
    """The instrument of a listed thing.

    Raises:
        Refused: nothing is known of it.
    """
    return _known(lambda: symbols.security(ticker, isin=isin, asset_class=asset_class), ticker or isin, column)


def _known(ask: Callable[[], str], symbol: str, column: str) -> str:
    """The answer, where it is an instrument that can be held."""
    try:
        return held_instrument_id(ask())
    except UnknownSymbolError as error:
        raise Refused(column, symbol, str(error), _MAP_REMEDY) from None
    except Refusal as refusal:
        raise Refused(column, symbol, f"{refusal.expected} was expected", _MAP_REMEDY) from None


def is_fiat(instrument: str) -> bool:
    """Whether an instrument is money."""
    return instrument.startswith("fiat:")


def note(*parts: str) -> str:
    """Parts that say something, joined; nothing at all where they have the shape of a secret, as a hash has."""
    text = "; ".join(part for part in parts if part)
    return "" if secret_kind(text) else text
