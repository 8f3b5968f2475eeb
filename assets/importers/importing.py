"""From files of other products to rows of an inputs folder: what would be written, and the writing.

Belongs here: the way of each file from its format to its plan. Must not be here: any format, the rules of transactions
(assets/registry/transactions_csv, applied here as they are), what is new (dividing), the writing (plans).

Nothing is written that `holdfast validate` would refuse: each row passes the inputs folder's own reader first, together
with what the folder holds already.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import polars as pl

from assets.importers.detect import detect
from assets.importers.dividing import Division, Present, ReadyRow
from assets.importers.identity import ContentIds
from assets.importers.model import COLUMNS, CanonicalRow, Formats, Reject, Symbols
from assets.importers.plans import HEADER, FilePlan, canonical_line
from assets.importers.source_files import read_source
from assets.registry.folder import Inputs, read_inputs
from assets.registry.identifiers import suggestion
from assets.registry.model import KnownPortfolios
from assets.registry.problems import Problem
from assets.registry.references import undeclared_in_rows
from assets.registry.transactions_csv import read_transactions

_INSTRUMENT_COLUMNS = {"instrument": "instrument_id", "currency": "currency", "fee_currency": "fee_currency"}
_LINE_BREAKS = re.compile(r"\s*[\r\n\x0b\x0c\x85\u2028\u2029]\s*")
#: Rows that are judged at a time: what a row takes while it is judged is many times what it takes before and after.
_ROWS_AT_A_TIME = 20_000


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
    present = Present.of(inputs.batches, destination.portfolio, destination.account)
    declared = frozenset(inputs.instruments["instrument"])
    plans = []
    for path in paths:
        plan, rows = _opened(path, destination, symbols, formats, format_name)
        if known.cash[destination.portfolio] == "implicit":
            rows = _without_fiat_flows(rows, plan.ignored)
        division, ids = Division(plan, present), ContentIds(plan.format.name)
        for some in _some_at_a_time(rows):
            taken, frame = _valid(_ready(some, destination, ids), known, declared, plan.rejects)
            if frame is not None:
                division.add(taken, frame)
        plan.settle(destination.account)
        plans.append(plan)
    return plans


def _opened(
    path: Path, destination: Destination, symbols: Symbols, formats: Formats, format_name: str | None
) -> tuple[FilePlan, list[CanonicalRow]]:
    """The plan of a file with what its format left out, and the rows that are meant; the file itself is let go."""
    source = read_source(path)
    found = detect(source, formats, format_name)
    parsed = found.parse(source, symbols)
    plan = FilePlan(path, found, rejects=parsed.rejects, ignored=parsed.ignored)
    plan.accounts.update(row.account for row in parsed.rows)
    name = destination.source_account
    _require_source_account(plan, name)
    plan.elsewhere = [row.line for row in parsed.rows if name not in (None, row.account)]
    return plan, [row for row in parsed.rows if name in (None, row.account)]


def _some_at_a_time(rows: list[CanonicalRow]) -> Iterator[list[CanonicalRow]]:
    """The rows in portions; the list is emptied."""
    while rows:
        some = rows[:_ROWS_AT_A_TIME]
        del rows[:_ROWS_AT_A_TIME]
        yield some


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
        values = row.values
        is_money = values.get("instrument", "").startswith("fiat:")
        if is_money and values.get("type") in ("DEPOSIT", "WITHDRAWAL"):
            ignored[row.line] = "money paid in or out: this portfolio holds no cash (cash: implicit)"
        else:
            kept.append(row)
    return kept


def _ready(rows: list[CanonicalRow], destination: Destination, ids: ContentIds) -> list[ReadyRow]:
    """Every row with portfolio, account and an id, each value on one line."""
    ready = []
    for row in rows:
        values = {name: _LINE_BREAKS.sub(" ", value).strip() for name, value in row.values.items()}
        content = ids.next(values.get(name, "") for name in COLUMNS if name not in ("external_id", "note"))
        values["external_id"] = values.get("external_id") or content
        values |= {"portfolio": destination.portfolio, "account": destination.account}
        text = canonical_line(values.get(name, "") for name in HEADER)
        ready.append(ReadyRow(row.line, values["external_id"], text))
    return ready


def _valid(
    rows: list[ReadyRow], known: KnownPortfolios, declared: frozenset[str], rejects: list[Reject]
) -> tuple[list[ReadyRow], pl.DataFrame | None]:
    """Rows that the inputs folder's own reader takes, with their frame; the others become rejects.

    Args:
        rows: each on one line, so that row i stands on line i + 2.
        known: portfolios and accounts that rows may name.
        declared: instruments in instruments.csv.
        rejects: added to.
    """
    while rows:
        data = "".join([canonical_line(HEADER), *(row.text for row in rows)]).encode()
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
