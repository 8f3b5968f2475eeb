"""What an importer is given and what it gives back.

Belongs here: the vocabulary of importing. Must not be here: any one product's format, files, the database.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Protocol

#: Columns of the canonical ledger that an importer may fill; portfolio and account are chosen by the person.
COLUMNS = (
    "executed_at", "type", "instrument", "quantity", "price", "amount", "currency", "fx_rate", "cash_account", "fee",
    "fee_currency", "tax", "group_id", "external_id", "note",
)  # fmt: skip


@dataclass(frozen=True)
class SourceFile:
    """A file as a product exported it, decoded, with line ends as they were."""

    path: Path
    text: str


class CanonicalRow(NamedTuple):
    """One transaction read from a line of the source.

    Attributes:
        line: of the source file, 1-based, header included.
        cells: text of each of `COLUMNS` as the canonical CSV wants it, "" where it is empty; less than half of a dict.
        account: the source's own name of the account, "" where it has none.
    """

    line: int
    cells: tuple[str, ...]
    account: str = ""

    @classmethod
    def of(cls, line: int, values: Mapping[str, str], account: str = "") -> "CanonicalRow":
        """A row of values by column; what is absent stays empty."""
        return cls(line, tuple(values.get(name, "") for name in COLUMNS), account)

    @property
    def values(self) -> dict[str, str]:
        """Column -> text, without the empty ones."""
        return {name: cell for name, cell in zip(COLUMNS, self.cells, strict=True) if cell}


@dataclass(frozen=True)
class Reject:
    """A line that could not become a transaction: which value, what was expected, what to do."""

    line: int
    column: str
    value: str
    reason: str
    remedy: str


@dataclass
class Parsed:
    """All that a file holds. Every line of data is in `rows`, `rejects` or `ignored`, so that nothing is lost silently.

    Attributes:
        ignored: line -> why it moves nothing (a cancelled order, a heading).
    """

    rows: list[CanonicalRow] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    ignored: dict[int, str] = field(default_factory=dict)


class UnknownSymbolError(ValueError):
    """No reviewed mapping knows a source's symbol; the message names it and how to map it."""


class Symbols(Protocol):
    """A source's symbols as instrument ids. A person's own `--map SYMBOL=INSTRUMENT` wins over the reviewed files."""

    def currency(self, symbol: str) -> str:
        """Money or coin by its code: fiat:USD, crypto:BTC. Raises `UnknownSymbolError`."""

    def mapped(self, symbol: str) -> str | None:
        """What the person's own `--map` says of a symbol; None where it says nothing."""

    def security(self, ticker: str, *, isin: str = "", asset_class: str = "equity") -> str:
        """A listed thing: its ticker where it trades in the US, else its ISIN, so that two listings never merge.

        Raises `UnknownSymbolError` where it has neither.
        """


@dataclass(frozen=True)
class Format:
    """One product's export in one of its versions.

    Attributes:
        name: stable key, such as `kraken-ledgers`.
        version: which layout, such as `2024`; a new layout is a new entry.
        title: what people call it.
        recognises: whether a file is of this layout, told by its header alone.
        parse: reads it whole; raises nothing for a bad line, which becomes a `Reject`.
        unit: what the numbers in `line` count: lines, or for JSON and XML the entries, from 1.
    """

    name: str
    version: str
    title: str
    recognises: Callable[[SourceFile], bool]
    parse: Callable[[SourceFile, Symbols], Parsed]
    unit: str = "line"


Formats = Sequence[Format]
