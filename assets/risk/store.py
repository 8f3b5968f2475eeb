"""The risk of a run: reads holdings and histories, measures, and writes the tables of schema intermediate.

Belongs here: the order of the work and the rows of portfolio_risk, risk_contributions and stress_tests. Must not be
here: formulas, SELECT statements (loading). The run's transaction is the caller's.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import chain

import numpy as np
import polars as pl
from polars import selectors

from assets.risk.loading import Reference, histories, read_holdings, read_reference
from assets.risk.measures import measure
from assets.risk.model import Holdings
from assets.risk.returns import daily_calendar, gains, returns_by_horizon
from assets.risk.risk_rows import contribution_frame, risk_frame
from assets.risk.scenarios import episodes
from assets.risk.stress_rows import scenarios_of, stress_frame
from assets.warehouse.database import Connection, copy_frame
from assets.warehouse.writing import write_meanwhile

TABLES = ("portfolio_risk", "risk_contributions", "stress_tests")
# portfolios measured at once: gains of 730 days over two horizons take 12 MB, Monte Carlo's draws 2 MB
CHUNK = 1000
# beyond this, binary fractions only show the noise of float64
MONEY_DECIMALS = 10


@dataclass
class RiskSummary:
    """How many portfolios were measured, and rows written by table."""

    portfolios: int = 0
    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TABLES, 0))

    def __str__(self) -> str:
        return f"{self.portfolios} portfolios, {self.rows['stress_tests']} stress tests"


def run_risk(conn: Connection, as_of_date: date) -> RiskSummary:
    """Replace `TABLES` of schema intermediate for the scope's portfolios that no gate holds.

    What a portfolio gets does not depend on which others are in the run.

    Args:
        conn: in a transaction of the caller's.
        as_of_date: the day that the run describes.
    """
    summary = RiskSummary()
    conn.execute("truncate " + ", ".join(f"intermediate.{table}" for table in TABLES))
    found = read_holdings(conn, as_of_date)
    reference = read_reference(conn, as_of_date, episodes())

    def write(measured: tuple[int, dict[str, pl.DataFrame]]) -> None:
        portfolios, frames = measured
        summary.portfolios += portfolios
        for table, frame in frames.items():
            rounded = frame.with_columns(selectors.ends_with("_base", "_usd").round(MONEY_DECIMALS))
            summary.rows[table] += copy_frame(conn, f"intermediate.{table}", rounded)

    write_meanwhile(chain.from_iterable(_measured(holdings, reference) for holdings in found), write)
    for table in TABLES:
        # by the other columns nobody joins
        conn.execute(f"analyze intermediate.{table} (portfolio_id)")
    return summary


def _measured(holdings: Holdings, reference: Reference) -> Iterator[tuple[int, dict[str, pl.DataFrame]]]:
    """Portfolios of one base currency, calendar by calendar, some at a time: how many, and their rows by table."""
    known = histories(holdings, reference)
    scenarios = scenarios_of(holdings, reference)
    is_daily = daily_calendar(holdings)
    for daily in (True, False):
        places = np.flatnonzero(is_daily == daily)
        days, returns = returns_by_horizon(known, is_daily=daily)
        for start in range(0, len(places), CHUNK):
            chosen = holdings.chosen(places[start : start + CHUNK])
            gained = gains(chosen, known, days, returns)
            measured = measure(chosen, gained, _seeds(chosen.portfolio_ids, reference.as_of_date))
            yield (
                len(chosen.portfolio_ids),
                {
                    "portfolio_risk": risk_frame(chosen, gained, measured),
                    "risk_contributions": contribution_frame(chosen, gained, measured),
                    "stress_tests": stress_frame(chosen, scenarios, measured),
                },
            )


def _seeds(portfolio_ids: Sequence[str], as_of_date: date) -> list[int]:
    """The same portfolio on the same day draws the same numbers, whatever else the run computes."""
    texts = (f"{as_of_date.isoformat()}/{name}" for name in portfolio_ids)
    return [int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") for text in texts]
