"""A gate: a named question to the database whose answer should be no rows, and how it is asked.

Each gate is a query for offenders (portfolio_id, instrument_id, detail). Not here: which gates there are (gates), shape
of raw batches (raw_suites), dbt's own tests (dbt_project), how results meet Dagster (checks).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from assets.warehouse.database import Connection
from quality.results import CheckResult, Reach, Severity


@dataclass(frozen=True)
class Gate:
    """A named question to the database whose answer should be no rows."""

    name: str
    stage: str
    reach: Reach
    severity: Severity
    threshold: str
    description: str
    next_step: str
    offenders: str


def evaluate(conn: Connection, gate: Gate) -> list[CheckResult]:
    """Ask one gate: a single passed result, or one failed result for each offending partition.

    Fail closed: an error of the query is the caller's to turn into a hold.
    """
    offenders: dict[tuple[str | None, str | None], list[str]] = defaultdict(list)
    counts: dict[tuple[str | None, str | None], int] = defaultdict(int)
    for portfolio_id, instrument_id, detail in conn.execute(gate.offenders.encode()):
        partition = (portfolio_id, instrument_id)
        counts[partition] += 1
        if len(offenders[partition]) < 5:
            offenders[partition].append(str(detail))
    if not counts:
        return [_result(gate, None, None, True, 0, ())]
    return [_result(gate, p, i, False, counts[p, i], tuple(offenders[p, i])) for p, i in counts]


def _result(
    gate: Gate, portfolio_id: str | None, instrument_id: str | None, passed: bool, rows: int, offenders: tuple[str, ...]
) -> CheckResult:
    # an offence that names no portfolio cannot hold one: it holds the run
    reach: Reach = "run" if gate.reach == "portfolio" and portfolio_id is None and not passed else gate.reach
    return CheckResult(
        check_name=gate.name,
        reach=reach,
        severity=gate.severity,
        passed=passed,
        failed_rows=rows,
        threshold=gate.threshold,
        next_step=gate.next_step,
        first_offenders=offenders,
        portfolio_id=portfolio_id,
        instrument_id=instrument_id,
    )
