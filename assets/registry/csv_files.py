"""The CSV files of a folder, read as a whole.

Belongs here: which reader reads which kind, and the checks across files of one kind.
Must not be here: rules of single files (one module each), the folder's layout, the database.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

import polars as pl

from assets.registry import balances_csv, instruments_csv, transactions_csv
from assets.registry.model import KnownPortfolios
from assets.registry.prices_csv import read_prices
from assets.registry.problems import Problem
from assets.registry.references import TwiceRule, contradictions, undeclared_in_rows
from assets.registry.sources import Kind, no_quarantine

SAME_TRANSACTION = TwiceRule(
    key=("portfolio_id", "account_id", "external_id"),
    content=tuple(
        name
        for name in transactions_csv.RAW_COLUMNS
        if name not in ("line", "transaction_id", "portfolio_id", "account_id", "external_id")
    ),
    column="external_id",
    expected="one transaction for one external_id of an account",
)
_TWICE: dict[Kind, TwiceRule] = {
    "transactions": SAME_TRANSACTION,
    "balances": balances_csv.TWICE,
    "corporate_actions": instruments_csv.SAME_ACTION,
}
_INSTRUMENTS_IN = {"instrument": "instrument_id", "currency": "currency", "fee_currency": "fee_currency"}


@dataclass(slots=True)
class CsvFiles:
    """What the CSV files say; a file with problems is left out."""

    rows: dict[Kind, dict[str, pl.DataFrame]] = field(default_factory=dict)
    quarantined: dict[str, pl.DataFrame] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def read_csv_files(
    files: Mapping[Kind, Mapping[str, bytes]],
    known: KnownPortfolios | None,
    declared: frozenset[str] | None,
    now: datetime,
) -> CsvFiles:
    """Read all CSV files with observations.

    Args:
        files: bytes by kind and path; paths in the order in which they are read.
        known: what rows may refer to; None = not known, not tested.
        declared: instruments in instruments.csv; None = not known, not tested.
        now: the clock, UTC.
    """
    result = CsvFiles()
    for kind, contents in files.items():
        frames = result.rows.setdefault(kind, {})
        for path, data in contents.items():
            frame, problems = _read(kind, path, data, known, now, result.quarantined)
            result.problems += problems
            if frame is not None:
                frames[path] = frame
        if kind in _TWICE:
            result.problems += contradictions(frames, _TWICE[kind])
        if declared is not None:
            result.problems += undeclared_in_rows(frames, _INSTRUMENTS_IN, declared)
    return result


def _read(
    kind: Kind,
    path: str,
    data: bytes,
    known: KnownPortfolios | None,
    now: datetime,
    quarantined: dict[str, pl.DataFrame],
) -> tuple[pl.DataFrame | None, list[Problem]]:
    if kind == "prices":
        read, problems = read_prices(path, data, now)
        if read is None:
            return None, problems
        quarantined[path] = read[1]
        return read[0], problems
    quarantined[path] = no_quarantine()
    if kind == "transactions":
        return transactions_csv.read_transactions(path, data, known)
    if kind == "balances":
        return balances_csv.read_balances(path, data, known)
    return instruments_csv.read_corporate_actions(path, data)
