"""What a check says, and how it is written down. Belongs here: the shape of a result. Not here: any check."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from assets.warehouse.database import Connection, copy_rows

Reach = Literal["run", "portfolio", "none"]
Severity = Literal["error", "warn", "info"]

_COLUMNS = (
    "run_id", "check_name", "portfolio_id", "instrument_id", "severity", "reach", "passed", "failed_rows",
    "threshold", "first_offenders", "next_step",
)  # fmt: skip


@dataclass(frozen=True)
class CheckResult:
    """One check in one partition: the run, a portfolio, or a portfolio's instrument.

    `reach` is what a failure holds back: the run, the portfolio, or nothing (a warning).
    """

    check_name: str
    reach: Reach
    severity: Severity
    passed: bool
    failed_rows: int
    threshold: str
    next_step: str
    first_offenders: tuple[str, ...] = ()
    portfolio_id: str | None = None
    instrument_id: str | None = None

    @property
    def holds_run(self) -> bool:
        """Whether nothing may be published because of it."""
        return not self.passed and self.reach == "run" and self.severity == "error"

    @property
    def holds_portfolio(self) -> bool:
        """Whether its portfolio keeps its last published rows because of it."""
        return not self.passed and self.reach == "portfolio" and self.severity == "error"


def record(conn: Connection, run_id: str, results: Iterable[CheckResult]) -> None:
    """Write results to quality.check_results and put failing portfolios on hold, in the caller's transaction."""
    listed = list(results)
    copy_rows(
        conn,
        "quality.check_results",
        _COLUMNS,
        (
            (
                run_id,
                r.check_name,
                r.portfolio_id,
                r.instrument_id,
                r.severity,
                r.reach,
                r.passed,
                r.failed_rows,
                r.threshold,
                "\n".join(r.first_offenders) or None,
                r.next_step,
            )
            for r in listed
        ),
    )
    _hold(conn, [r for r in listed if r.holds_portfolio and r.portfolio_id is not None])


def _hold(conn: Connection, results: Sequence[CheckResult]) -> None:
    for result in results:
        first = result.first_offenders[0] if result.first_offenders else f"{result.failed_rows} rows"
        conn.execute(
            "insert into ops.held_portfolios (portfolio_id, check_name, reason) values (%s, %s, %s)"
            " on conflict (portfolio_id) do nothing",
            [result.portfolio_id, result.check_name, f"{result.check_name}: {first}. {result.next_step}"],
        )
