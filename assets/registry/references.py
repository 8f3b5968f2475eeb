"""What one file says about another: accounts, declared instruments, rows that contradict each other.

Belongs here: checks that need more than one file. Must not be here: rules of a single row.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from assets.registry.csv_rules import Rule, report
from assets.registry.csv_text import LINE
from assets.registry.identifiers import suggestion
from assets.registry.model import KnownPortfolios, PortfoliosFile
from assets.registry.problems import PROBLEMS_PER_FILE, FileProblems, Problem

NOT_DECLARED = "a custom: instrument declared in instruments.csv"
DECLARE = "add a row with instrument and quote_currency to instruments.csv"


@dataclass(frozen=True, slots=True)
class TwiceRule:
    """Rows that agree in `key` must agree in `content`."""

    key: tuple[str, ...]
    content: tuple[str, ...]
    column: str
    expected: str


def report_unknown_accounts(
    frame: pl.DataFrame, known: KnownPortfolios, columns: Iterable[str], problems: FileProblems
) -> None:
    """Portfolios and accounts that portfolios.yaml does not name."""
    for portfolio in frame["portfolio"].drop_nulls().unique():
        if portfolio not in known.accounts:
            near = suggestion(portfolio, tuple(known.accounts)) if len(known.accounts) < 1000 else ""
            remedy = near or "add it to portfolios.yaml, or correct the id"
            rule = Rule(
                "portfolio", pl.col("portfolio") == portfolio, "the id of a portfolio in portfolios.yaml", remedy
            )
            report(frame.filter(rule.fails), rule, problems)
    for column in columns:
        pairs = frame.select("portfolio", column).drop_nulls().unique()
        for portfolio, account in pairs.iter_rows():
            accounts = known.accounts.get(portfolio)
            if accounts is None or account in accounts:
                continue
            rule = Rule(
                column,
                (pl.col("portfolio") == portfolio) & (pl.col(column) == account),
                "the id of an account of this portfolio in portfolios.yaml",
                suggestion(account, accounts) or "add it to the portfolio's accounts, or correct the id",
            )
            report(frame.filter(rule.fails), rule, problems)


def undeclared_in_rows(
    frames: Mapping[str, pl.DataFrame], columns: Mapping[str, str], declared: frozenset[str]
) -> list[Problem]:
    """Custom instruments in rows that instruments.csv does not declare.

    Args:
        frames: rows by file; with `line`.
        columns: columns of instrument ids, by the column's name in the file (`instrument` → `instrument_id`).
        declared: ids in instruments.csv.
    """
    found: list[Problem] = []
    for file, frame in frames.items():
        problems = FileProblems(file)
        for shown_as, name in columns.items():
            if name not in frame.columns:
                continue
            used = frame[name].drop_nulls().unique().to_list()
            unknown = [value for value in used if value.startswith("custom:") and value not in declared]
            if unknown:
                failing = frame.filter(pl.col(name).is_in(unknown)).select(LINE, pl.col(name).alias(shown_as))
                report(failing, Rule(shown_as, pl.lit(value=True), NOT_DECLARED, DECLARE), problems)
        found.extend(problems)
    return found


def undeclared_in_portfolios(content: PortfoliosFile, file: str, declared: frozenset[str]) -> list[Problem]:
    """Custom instruments in targets, benchmarks and policies that instruments.csv does not declare."""
    found = []
    for portfolio in content.portfolios:
        used = [*portfolio.targets, portfolio.benchmark]
        if portfolio.policy is not None:
            used += [*portfolio.policy.universe]
            used += [name for view in portfolio.policy.views for name in (view.instrument, view.over)]
        for name in dict.fromkeys(used):
            if name is not None and name.startswith("custom:") and name not in declared:
                found.append(Problem(file, portfolio.line, None, name, NOT_DECLARED, DECLARE))
    return found[:PROBLEMS_PER_FILE]


def contradictions(frames: Mapping[str, pl.DataFrame], rule: TwiceRule) -> list[Problem]:
    """Rows of the whole folder that have one key and different content; each problem shows both.

    Args:
        frames: rows by file, in the order in which the files are read; with `line`.
        rule: what identifies a row and what must then be equal. Rows with a null in the key are left out.
    """
    parts = [
        frame.select(pl.lit(file).alias("file"), LINE, *dict.fromkeys((*rule.key, *rule.content))).drop_nulls(rule.key)
        for file, frame in frames.items()
    ]
    if not parts:
        return []
    rows = pl.concat(parts)
    hashes = rows.select(pl.struct(rule.key).hash()).to_series()
    repeated = rows.filter(hashes.is_duplicated())
    if not repeated.height:
        return []
    found = []
    first: dict[tuple[object, ...], dict[str, object]] = {}
    for row in repeated.iter_rows(named=True):
        before = first.setdefault(tuple(row[name] for name in rule.key), row)
        different = [name for name in rule.content if row[name] != before[name]]
        if different:
            there = ", ".join(f"{name} {_plain(before[name])}" for name in different)
            here = ", ".join(f"{name} {_plain(row[name])}" for name in different)
            remedy = f"it stands at {before['file']}:{before[LINE]} with {there}, here with {here}: keep one of the two"
            found.append(Problem(row["file"], row[LINE], rule.column, str(row[rule.key[-1]]), rule.expected, remedy))
    return found[:PROBLEMS_PER_FILE]


def _plain(value: object) -> str:
    return "empty" if value is None else str(value)
