"""What all sources do with an answer once it is read.

Belongs here: numbers as decimals, parts of one question as one answer. Must not be here: any provider's format.
"""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import TypeVar

from assets.market.model import Fetched, FetchReport, Outcome
from assets.network.errors import Failure, Kind

T = TypeVar("T")


def decimal_of(value: object) -> Decimal | None:
    """A number as the provider wrote it; a float by its shortest digits; None for none."""
    if value is None or isinstance(value, bool):
        return None
    try:
        return Decimal(value if isinstance(value, int) else str(value))
    except InvalidOperation:
        return None


def counted(report: FetchReport, rows: int, expected: int) -> FetchReport:
    """The report of an answer to many symbols: those without a price there are told as partial."""
    if rows == expected:
        return replace(report, outcome=Outcome.COMPLETE, rows=rows)
    missing = Failure.of(Kind.PERMANENT, f"{expected - rows} of {expected} symbols without a price")
    outcome = Outcome.PARTIAL if rows else Outcome.FAILED
    return replace(report, outcome=outcome, rows=rows, failure=missing)


def joined_parts(source: str, asked: str, parts: Sequence[Fetched[T]]) -> Fetched[T]:
    """Answers to parts of one question as one; the parts' own reports are kept."""
    reports = tuple(part.report for part in parts)
    if len(reports) == 1:
        return Fetched(parts[0].rows, reports[0], reports)
    outcomes = {report.outcome for report in reports}
    failures = [report.failure for report in reports if report.failure is not None]
    outcome = outcomes.pop() if len(outcomes) == 1 else Outcome.PARTIAL if outcomes else Outcome.EMPTY
    report = FetchReport(
        source,
        None,
        asked,
        None,
        sum(one.requests for one in reports),
        outcome,
        rows=sum(one.rows for one in reports),
        failure=failures[-1] if failures else None,
    )
    return Fetched(tuple(row for part in parts for row in part.rows), report, reports)
