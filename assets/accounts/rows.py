"""What accounts answered as batches for `raw`.

Belongs here: canonical rows through the reader of the inputs folder, so that they keep its rules
and have its identities; balances as a batch. Must not be here: what is known already (store), the database.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

import polars as pl

from assets.accounts.model import AccountReport, Row, Waiting
from assets.accounts.reading import ROWS
from assets.importers.plans import canonical_csv
from assets.registry.model import KnownPortfolios
from assets.registry.sources import Batch, Kind, Source, Window, no_quarantine
from assets.registry.transactions_csv import read_transactions


@dataclass(frozen=True, slots=True)
class Transactions:
    """Rows of one account that the ledger's rules take, and those that they refuse.

    Attributes:
        frame: columns of `raw.transactions` without `batch_id`; None: no row.
        refused: as records that wait.
        left_out: money paid in or out of a portfolio that holds no cash.
    """

    frame: pl.DataFrame | None
    refused: tuple[Waiting, ...] = ()
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class AccountSource:
    """The batches of one source of accounts, for landing."""

    name: str
    batches: tuple[Batch, ...]
    kinds: tuple[Kind, ...] = field(default=("transactions", "balances"))

    def fetch(self, window: Window) -> Iterable[Batch]:
        """All of them; they were read before."""
        return self.batches


def source_name(source: str) -> str:
    """As in `raw.batches.source`."""
    return f"account:{source}"


def transactions(report: AccountReport, cash: str) -> Transactions:
    """Read an account's rows by the rules of transactions/*.csv.

    Args:
        report: of the account.
        cash: of its portfolio, `ledger` or `implicit`.
    """
    rows = [row for row in report.transactions if cash != "implicit" or not _is_money_flow(row)]
    left_out = len(report.transactions) - len(rows)
    known = KnownPortfolios({report.portfolio_id: frozenset({report.account_id})}, {report.portfolio_id: cash})
    refused: list[Waiting] = []
    while rows:
        named = ({**row, "portfolio": report.portfolio_id, "account": report.account_id} for row in rows)
        frame, problems = read_transactions("", canonical_csv(named).encode(), known)
        if frame is not None:
            return Transactions(frame, tuple(refused), left_out)
        failing = {problem.line - 2: problem for problem in problems if problem.line is not None}
        if not failing:
            raise RuntimeError(f"a problem of no line: {problems[0]}")
        for index, problem in failing.items():
            reason = f"{problem.column}: expected {problem.expected}"
            row, value = rows[index], problem.value or ""
            refused.append(Waiting(ROWS, row["external_id"], {**row}, value, reason, problem.remedy))
        rows = [row for index, row in enumerate(rows) if index not in failing]
    return Transactions(None, tuple(refused), left_out)


def _is_money_flow(row: Row) -> bool:
    return row["type"] in ("DEPOSIT", "WITHDRAWAL") and row["instrument"].startswith("fiat:")


def balances(report: AccountReport, at: datetime, before: Mapping[str, str]) -> pl.DataFrame | None:
    """An account's balances as rows, when any differs from the last observation; None: nothing to tell.

    Args:
        report: of the account.
        at: the moment that they count for.
        before: instrument → quantity of the last observation; what is gone since is 0.
    """
    if report.balances is None:
        return None
    quantities = dict.fromkeys((name for name, quantity in before.items() if quantity != "0"), "0") | report.balances
    if all(before.get(name) == quantity for name, quantity in quantities.items()):
        return None
    names = sorted(quantities)
    return pl.DataFrame(
        {
            "line": range(1, len(names) + 1),
            "portfolio_id": report.portfolio_id,
            "account_id": report.account_id,
            "instrument_id": names,
            "balance_at": at,
            "is_date_only": False,
            "quantity": [quantities[name] for name in names],
            "cost_base": None,
        },
        schema_overrides={"line": pl.Int32, "cost_base": pl.String},
    )


def batch(kind: Kind, report: AccountReport, at: datetime, frame: pl.DataFrame) -> Batch:
    """One reading's rows of one kind; its path sorts by time."""
    place = f"{source_name(report.source)}/{report.portfolio_id}/{report.account_id}/{kind}/{at.isoformat()}"
    return Batch(kind, place, sha256(frame.write_csv().encode()).hexdigest(), frame, no_quarantine())


def sources(batches: Mapping[str, list[Batch]]) -> list[Source]:
    """Batches by source of accounts."""
    return [AccountSource(source_name(source), tuple(own)) for source, own in batches.items() if own]
