"""From files of other products to rows of an inputs folder: what would be written, and the writing.

Belongs here: the plan of an import (rows, rejects, duplicates, ignored lines) and its files. Must not be here: any
format, the rules of transactions (assets/registry/transactions_csv, applied here as they are), the command line.

Nothing is written that `holdfast validate` would refuse: each row passes the inputs folder's own reader first, together
with what the folder holds already.
"""

import csv
import io
import os
import re
import secrets
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path

import polars as pl

from assets.importers.detect import detect
from assets.importers.identity import ContentIds
from assets.importers.model import COLUMNS, CanonicalRow, Format, Formats, Reject, Symbols
from assets.importers.source_files import read_source
from assets.registry.csv_files import SAME_TRANSACTION
from assets.registry.csv_text import LINE
from assets.registry.folder import Inputs, read_inputs
from assets.registry.identifiers import suggestion
from assets.registry.model import KnownPortfolios
from assets.registry.problems import Problem
from assets.registry.references import undeclared_in_rows
from assets.registry.secret_shapes import shown
from assets.registry.transactions_csv import read_transactions

HEADER = ("portfolio", "account", *COLUMNS)
_INSTRUMENT_COLUMNS = {"instrument": "instrument_id", "currency": "currency", "fee_currency": "fee_currency"}
# What makes two rows one event where one of them, written by hand, has no id of its own.
_EVENT = (
    "executed_at", "is_date_only", "type", "instrument_id", "quantity", "price", "amount", "currency", "fee",
    "fee_currency", "tax",
)  # fmt: skip
_LINE_BREAKS = re.compile(r"\s*[\r\n\x0b\x0c\x85\u2028\u2029]\s*")

Row = dict[str, object]


class ImportProblemError(ValueError):
    """The import cannot begin; the message says what is missing and how to add it."""


@dataclass(frozen=True)
class Destination:
    """Where rows go.

    Attributes:
        folder: the inputs folder.
        portfolio: id from its portfolios.yaml.
        account: id of one of the portfolio's accounts.
        source_account: take rows of this account of the source only; None = all.
    """

    folder: Path
    portfolio: str
    account: str
    source_account: str | None = None


@dataclass(frozen=True)
class Known:
    """A row that the folder, or an earlier file of this import, holds already."""

    line: int
    place: str
    differences: str = ""


@dataclass
class FilePlan:
    """What becomes of one file. Each of its lines is in exactly one of the five.

    Attributes:
        rows: new ones as they will be written, in the order of time; the source's line beside each.
        known: lines that are there already; `differences` where the present row says something else (it is kept).
        rejects: lines that cannot be taken.
        ignored: line -> why it moves nothing.
        elsewhere: lines of other accounts of the source.
        accounts: how many rows each account of the source has, by its own name.
        target: where the rows go, relative to the inputs folder; "" when there are none.
    """

    path: Path
    format: Format
    rows: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    known: list[Known] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    ignored: dict[int, str] = field(default_factory=dict)
    elsewhere: list[int] = field(default_factory=list)
    accounts: Counter[str] = field(default_factory=Counter)
    target: str = ""

    @property
    def text(self) -> str:
        """The canonical CSV of the new rows."""
        return canonical_csv(values for _, values in self.rows)


def plan_import(
    paths: Sequence[Path],
    destination: Destination,
    symbols: Symbols,
    formats: Formats,
    now: datetime,
    format_name: str | None = None,
) -> list[FilePlan]:
    """Read the files and tell what would be written; writes nothing.

    Args:
        paths: files of other products, in the order in which they count.
        destination: where the rows go.
        symbols: what the sources' symbols mean.
        formats: all known formats.
        now: the clock, with a zone.
        format_name: only this format; None = told by each file.

    Raises:
        ImportProblemError: the portfolio or the account does not exist.
        InputProblems: the inputs folder itself cannot be read.
        SourceFileError, UnknownFormatError: a file is no text, or of no known layout.
    """
    inputs = read_inputs(destination.folder, now)
    known = _known_portfolios(inputs)
    _require(destination, known)
    present = _Present.of(inputs)
    declared = frozenset(inputs.instruments["instrument"])
    plans = []
    for path in paths:
        source = read_source(path)
        found = detect(source, formats, format_name)
        parsed = found.parse(source, symbols)
        plan = FilePlan(path, found, rejects=list(parsed.rejects), ignored=dict(parsed.ignored))
        plan.accounts.update(row.account for row in parsed.rows)
        _require_source_account(plan, destination.source_account)
        rows = [row for row in parsed.rows if destination.source_account in (None, row.account)]
        plan.elsewhere = [row.line for row in parsed.rows if destination.source_account not in (None, row.account)]
        if known.cash[destination.portfolio] == "implicit":
            rows = _without_fiat_flows(rows, plan.ignored)
        taken, frame = _valid(_completed(rows, destination, found.name), known, declared, plan.rejects)
        _divide(plan, taken, frame, present)
        plan.rejects.sort(key=lambda reject: reject.line)
        if plan.rows:
            digest = sha256(plan.text.encode()).hexdigest()[:8]
            plan.target = f"transactions/{found.name}-{destination.account}-{digest}.csv"
        plans.append(plan)
    return plans


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
                _write_whole(
                    target.with_suffix(".rejects.txt"),
                    "".join(f"{describe(reject, plan.format.unit)}\n" for reject in plan.rejects),
                )
            _write_whole(target, plan.text)
            written.append(target)
    return written


def describe(reject: Reject, unit: str = "line") -> str:
    """One line that tells a reject: where, which value, what was expected and what to do."""
    where = f"{unit} {reject.line}" + (f", column {reject.column}" if reject.column else "")
    value = f"{shown(reject.value)}: " if reject.value else ""
    return f"{where}: {value}{reject.reason}" + (f"; {reject.remedy}" if reject.remedy else "")


def canonical_csv(rows: Iterable[Mapping[str, str]]) -> str:
    """Rows as canonical CSV with all columns."""
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(HEADER)
    writer.writerows([row.get(name, "") for name in HEADER] for row in rows)
    return buffer.getvalue()


def _known_portfolios(inputs: Inputs) -> KnownPortfolios:
    portfolios = inputs.portfolios.portfolios
    return KnownPortfolios(
        {portfolio.id: frozenset(account.id for account in portfolio.accounts) for portfolio in portfolios},
        {portfolio.id: portfolio.cash for portfolio in portfolios},
    )


def _require(destination: Destination, known: KnownPortfolios) -> None:
    portfolio, account = destination.portfolio, destination.account
    line = f"{{id: {account}, kind: manual}}"
    if portfolio not in known.accounts:
        near = suggestion(portfolio, tuple(known.accounts))
        raise ImportProblemError(
            f"no portfolio {portfolio} in portfolios.yaml{'; ' + near if near else ''}; else add under portfolios:\n"
            f"  - id: {portfolio}\n    user_id: me\n    accounts:\n      - {line}"
        )
    if account not in known.accounts[portfolio]:
        near = suggestion(account, known.accounts[portfolio])
        raise ImportProblemError(
            f"portfolio {portfolio} has no account {account}{'; ' + near if near else ''}; "
            f"else add under its accounts in portfolios.yaml:\n      - {line}"
        )


def _require_source_account(plan: FilePlan, name: str | None) -> None:
    if name is not None and name not in plan.accounts:
        named = ", ".join(sorted(account for account in plan.accounts if account)) or "none"
        raise ImportProblemError(f"{plan.path} has no rows of an account {name}; accounts that it names: {named}")


def _without_fiat_flows(rows: list[CanonicalRow], ignored: dict[int, str]) -> list[CanonicalRow]:
    """Deposits and withdrawals of money mean nothing where no money is held, and validation refuses them."""
    kept = []
    for row in rows:
        is_money = row.values.get("instrument", "").startswith("fiat:")
        if is_money and row.values.get("type") in ("DEPOSIT", "WITHDRAWAL"):
            ignored[row.line] = "money paid in or out: this portfolio holds no cash (cash: implicit)"
        else:
            kept.append(row)
    return kept


def _completed(rows: list[CanonicalRow], destination: Destination, format_name: str) -> list[CanonicalRow]:
    """Every row with portfolio, account and an id, each value on one line."""
    ids, completed = ContentIds(format_name), []
    for row in rows:
        values = {name: _LINE_BREAKS.sub(" ", value).strip() for name, value in row.values.items()}
        content = ids.next(values.get(name, "") for name in COLUMNS if name not in ("external_id", "note"))
        values["external_id"] = values.get("external_id") or content
        values |= {"portfolio": destination.portfolio, "account": destination.account}
        completed.append(replace(row, values=values))
    return completed


def _valid(
    rows: list[CanonicalRow], known: KnownPortfolios, declared: frozenset[str], rejects: list[Reject]
) -> tuple[list[CanonicalRow], pl.DataFrame | None]:
    """Rows that the inputs folder's own reader takes, with their frame; the others become rejects.

    Args:
        rows: complete, each value on one line, so that row i stands on line i + 2.
        known: portfolios and accounts that rows may name.
        declared: instruments in instruments.csv.
        rejects: added to.
    """
    while rows:
        data = canonical_csv(row.values for row in rows).encode()
        frame, problems = read_transactions("", data, known)
        if frame is not None:
            problems = undeclared_in_rows({"": frame}, _INSTRUMENT_COLUMNS, declared)
        failing: dict[int, Problem] = {}
        for problem in problems:
            if problem.line is not None:
                failing.setdefault(problem.line - 2, problem)
        if not failing and problems:  # the reader counts on past its hundredth problem, but lists those before it
            raise RuntimeError(f"a problem of no line: {problems[0]}")
        if not failing:
            return rows, frame
        for index, problem in failing.items():
            value = "" if problem.value is None else problem.value
            reason, column = f"expected {problem.expected}", str(problem.column or "")
            rejects.append(Reject(rows[index].line, column, value, reason, problem.remedy))
        rows = [row for index, row in enumerate(rows) if index not in failing]
    return [], None


@dataclass
class _Present:
    """Rows of the folder and of files planned before: by their id, and those without one by what they tell."""

    by_id: dict[tuple[object, ...], tuple[str, Row]] = field(default_factory=dict)
    without_id: dict[tuple[object, ...], list[str]] = field(default_factory=lambda: defaultdict(list))

    @classmethod
    def of(cls, inputs: Inputs) -> "_Present":
        present = cls()
        for batch in inputs.batches:
            if batch.kind == "transactions":
                for row in batch.rows.iter_rows(named=True):
                    present.add(row, f"{batch.path}:{row[LINE]}")
        return present

    def add(self, row: Row, place: str) -> None:
        if row["external_id"] is None:
            self.without_id[_event(row)].append(place)
        else:
            self.by_id.setdefault(_key(row), (place, row))


def _key(row: Row) -> tuple[object, ...]:
    return tuple(row[name] for name in SAME_TRANSACTION.key)


def _event(row: Row) -> tuple[object, ...]:
    return tuple(row[name] for name in ("portfolio_id", "account_id", *_EVENT))


def _divide(plan: FilePlan, taken: list[CanonicalRow], frame: pl.DataFrame | None, present: _Present) -> None:
    """Part valid rows into new and known ones, and put the new ones into the order of time."""
    read: dict[int, Row] = {} if frame is None else {row[LINE] - 2: row for row in frame.iter_rows(named=True)}
    new: list[tuple[CanonicalRow, Row]] = []
    first: dict[tuple[object, ...], tuple[int, Row]] = {}
    for index, source in enumerate(taken):
        # the reader keeps one of equal rows with one id
        row = read.get(index) or next(r for r in read.values() if r["external_id"] == source.values["external_id"])
        line, before = first.setdefault(_key(row), (source.line, row))
        there = present.by_id.get(_key(row))
        if _differences(before, row):
            reason = f"expected one transaction for one id; {plan.format.unit} {line} has it with"
            identifier, found = source.values["external_id"], _differences(before, row)
            plan.rejects.append(
                Reject(source.line, "external_id", identifier, f"{reason} {found}", "correct one of the two")
            )
        elif there is not None:
            plan.known.append(Known(source.line, there[0], _differences(there[1], row)))
        elif present.without_id[_event(row)]:
            plan.known.append(Known(source.line, present.without_id[_event(row)].pop(0)))
        else:
            present.add(row, f"{plan.path.name}, {plan.format.unit} {source.line}")
            new.append((source, row))
    # files are mostly in the order of time, or against it; bare dates of one day keep the order of the events
    if new and new[0][1]["executed_at"] > new[-1][1]["executed_at"]:  # type: ignore[operator]
        new.reverse()
    new.sort(key=lambda pair: pair[1]["executed_at"])  # type: ignore[arg-type,return-value]
    plan.rows = [(source.line, source.values) for source, _ in new]


def _differences(there: Row, here: Row) -> str:
    different = [name for name in SAME_TRANSACTION.content if there[name] != here[name]]
    return ", ".join(f"{name} {_shown(there[name])} there, {_shown(here[name])} here" for name in different)


def _shown(value: object) -> str:
    return "empty" if value is None else str(value)


def _write_whole(path: Path, text: str) -> None:
    # names that begin with a dot are passed over by the reader of the folder
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with temporary.open("w", encoding="utf-8", newline="") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
