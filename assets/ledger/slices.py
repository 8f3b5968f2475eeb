"""The ledger of many users, as slices of finished text for COPY.

Belongs here: going through the users of a part, gathering their rows, counting. Must not be here: the database's
tables (store), processes (workers), any rule of the ledger.
"""

import gc
import json
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from assets.collecting import collecting_by_hand, collecting_what_is_new
from assets.ledger.books import Books
from assets.ledger.copy_text import CopyText
from assets.ledger.engine import process_user
from assets.ledger.model import (
    DisposalRow,
    EntryRow,
    FlowRow,
    IncomeRow,
    IssueRow,
    LotRow,
    PositionRow,
    ReconciliationRow,
    TransactionRow,
)
from assets.ledger.reading import ALL, Part, by_user, load_balances, load_portfolios, load_price_book
from assets.warehouse.database import Connection

# Table `intermediate.ledger_<name>`, its rows with their columns in order, and where the books keep them.
TABLES: dict[str, tuple[type[Any], str]] = {
    "positions": (PositionRow, "positions_rows"),
    "entries": (EntryRow, "entries"),
    "flows": (FlowRow, "flows"),
    "lots": (LotRow, "lots"),
    "disposals": (DisposalRow, "disposals"),
    "income": (IncomeRow, "incomes"),
    "transactions": (TransactionRow, "transactions"),
    "issues": (IssueRow, "issues"),
    "reconciliation": (ReconciliationRow, "reconciliation"),
}
# Rows that become text together: few enough that the processor's cache still holds them. 20,000 took a tenth longer.
SLICE_ROWS = 1_000
# Text of a table that is written together; the rows of one slice would be a COPY of a few kilobytes.
WRITTEN_BYTES = 2**21

Write = Callable[[str, bytes], None]


@dataclass
class LedgerSummary:
    """What a run of the ledger did.

    Attributes:
        portfolios: processed.
        transactions: processed.
        rows: written, by table (without the prefix `ledger_`).
        held: portfolios with an issue of severity `hold`.
        issues: number of issues by code.
        restated: portfolios of which days before the scope's `from_date` have changed.
    """

    portfolios: int = 0
    transactions: int = 0
    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TABLES, 0))
    held: set[str] = field(default_factory=set)
    issues: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    restated: int = 0

    def __str__(self) -> str:
        """One line for people."""
        issues = ", ".join(f"{count} {code}" for code, count in sorted(self.issues.items())) or "none"
        return (
            f"{self.transactions} transactions of {self.portfolios} portfolios, "
            f"{self.rows['lots']} open lots, {self.rows['disposals']} disposals, issues: {issues}"
        )

    def add(self, other: "LedgerSummary") -> None:
        """Count in what another part of the users came to."""
        self.portfolios += other.portfolios
        self.transactions += other.transactions
        self.held |= other.held
        self.restated += other.restated
        for table, count in other.rows.items():
            self.rows[table] += count
        for code, count in other.issues.items():
            self.issues[code] += count

    def to_json(self) -> bytes:
        """As one process tells another."""
        return json.dumps({**vars(self), "held": sorted(self.held)}).encode()

    @classmethod
    def from_json(cls, text: bytes) -> "LedgerSummary":
        """The inverse of `to_json`."""
        told = json.loads(text)
        return cls(**{**told, "held": set(told["held"])})


def process_part(conn: Connection, write: Write, part: Part = ALL) -> LedgerSummary:
    """Run the ledger of a part's users.

    Args:
        conn: from which the inputs are read.
        write: takes a table's name (a key of TABLES) and rows in COPY's text format, slice by slice.
        part: whose ledger.
    """
    summary = LedgerSummary()
    portfolios = load_portfolios(conn, part)
    if not portfolios:
        return summary
    prices = load_price_book(conn)
    balances = load_balances(conn, part)
    text = CopyText()
    rows: dict[str, list[Any]] = {table: [] for table in TABLES}
    texts = {table: bytearray() for table in TABLES}
    with collecting_what_is_new(), collecting_by_hand():
        for user_id, transactions in by_user(conn, portfolios, part):
            summary.transactions += len(transactions)
            for books in process_user(portfolios[user_id], transactions, balances.get(user_id, []), prices):
                _gather(books, rows, summary)
            if len(rows["positions"]) + len(rows["entries"]) + len(rows["transactions"]) >= SLICE_ROWS:
                _finish_slice(rows, text, texts)
                _write(texts, write, WRITTEN_BYTES)
        _finish_slice(rows, text, texts)
        _write(texts, write, 1)
    return summary


def _gather(books: Books, rows: dict[str, list[Any]], summary: LedgerSummary) -> None:
    for table, (_, attribute) in TABLES.items():
        own = getattr(books, attribute)
        rows[table] += own
        summary.rows[table] += len(own)
    summary.portfolios += 1
    for issue in books.issues:
        summary.issues[issue.code] += 1
        if issue.severity == "hold":
            summary.held.add(books.portfolio_id)
    books.release_positions()


def _finish_slice(rows: dict[str, list[Any]], text: CopyText, texts: dict[str, bytearray]) -> None:
    for table, (row_type, _) in TABLES.items():
        texts[table] += text.render(row_type, rows[table])
        rows[table] = []


def _write(texts: dict[str, bytearray], write: Write, least: int) -> None:
    for table, text in texts.items():
        if len(text) >= least:
            write(table, bytes(text))
            text.clear()
            gc.collect()
