"""Correlations, regimes and exposures of a run: the order of the work and the rows written.

Belongs here: writing. Must not be here: numerics, SELECT statements (loading). The transaction is the caller's.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

import numpy as np

from assets.correlation.diversification import diversified
from assets.correlation.exposures import exposures, portfolio_levels
from assets.correlation.loading import (
    DAYS,
    read_base_currencies,
    read_factors,
    read_levels,
    read_previous_regimes,
    read_universe,
    read_unpriced,
    read_weights,
)
from assets.correlation.model import LONG_WINDOW, WINDOWS, Levels, WindowCorrelations
from assets.correlation.pairs import correlate, undefined_codes
from assets.correlation.regimes import is_breached, read_regime
from assets.performance.compute import day_number
from assets.performance.reading_days import days_of, read_series
from assets.warehouse.database import Connection, copy_rows

Row = tuple[object, ...]

TABLES: Mapping[str, tuple[str, ...]] = {
    "asset_correlations": (
        "as_of", "window_days", "instrument_a", "instrument_b", "correlation", "observations", "undefined_reason",
    ),
    "factor_exposures": (
        "portfolio_id", "factor", "window_days", "instrument_id", "beta", "t_stat", "r_squared", "observations",
        "undefined_reason",
    ),
    "diversification": ("portfolio_id", "diversification_ratio", "undefined_reason"),
}  # fmt: skip
#: Portfolios whose days are held in memory at once.
CHUNK = 500


@dataclass
class CorrelationSummary:
    """What was written: rows by table, and the regime of each window."""

    as_of: datetime | None = None
    assets: int = 0
    rows: dict[str, int] = field(default_factory=dict)
    regimes: dict[int, str | None] = field(default_factory=dict)

    def __str__(self) -> str:
        if self.as_of is None:
            return "nothing with a price is held"
        regimes = ", ".join(f"{days} d {name or 'undefined'}" for days, name in sorted(self.regimes.items()))
        return f"{self.assets} assets, {regimes}; {self.rows.get('factor_exposures', 0)} factor exposures"


def run_correlations(connection: Connection, as_of_date: date) -> CorrelationSummary:
    """Replace the room's tables in `intermediate` and add this moment's reading, all of it from what is stored.

    Pairs and readings are of what all portfolios hold; exposures and diversification of those in the run's scope, each
    of its own holdings alone: no row depends on which others are, or on what they hold.
    """
    connection.execute("truncate " + ", ".join(f"intermediate.{table}" for table in TABLES))
    instrument_ids, as_of = read_universe(connection, as_of_date)
    summary = CorrelationSummary(as_of)
    if as_of is not None:
        levels = read_levels(connection, instrument_ids, as_of.date())
        windows = [correlate(levels, days) for days in WINDOWS]
        summary.assets = len(levels.labels)
        summary.regimes = write_reading(connection, as_of, windows)
        _write(connection, summary, "asset_correlations", _pairs(as_of, levels, windows))
        _write(connection, summary, "diversification", _diversification(connection, instrument_ids, as_of_date))
    _write(connection, summary, "factor_exposures", _exposures(connection, as_of_date))
    return summary


def write_reading(connection: Connection, as_of: datetime, windows: list[WindowCorrelations]) -> dict[int, str | None]:
    """Add a reading to ops.correlation_readings, or replace that of the same newest price; window -> regime."""
    regimes = {window.window_days: read_regime(window) for window in windows}
    before = read_previous_regimes(connection, as_of)
    for days, regime in regimes.items():
        connection.execute(
            """
            insert into ops.correlation_readings (
                as_of, window_days, assets, average_correlation, first_eigenvalue_share, diversification_ratio,
                regime, changed, breached, undefined_reason)
            values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
            on conflict (as_of, window_days) do update set
                assets = excluded.assets, average_correlation = excluded.average_correlation,
                first_eigenvalue_share = excluded.first_eigenvalue_share,
                diversification_ratio = excluded.diversification_ratio, regime = excluded.regime,
                changed = excluded.changed, breached = excluded.breached,
                undefined_reason = excluded.undefined_reason, read_at = excluded.read_at
            """,
            [
                as_of,
                days,
                regime.assets,
                regime.average_correlation,
                regime.first_eigenvalue_share,
                regime.diversification_ratio,
                regime.regime,
                regime.regime is not None and before.get(days, regime.regime) != regime.regime,
                is_breached(regime, regimes[LONG_WINDOW]),
                regime.undefined_reason,
            ],
        )
    return {days: regime.regime for days, regime in regimes.items()}


def _write(connection: Connection, summary: CorrelationSummary, table: str, rows: Iterable[Row]) -> None:
    summary.rows[table] = copy_rows(connection, f"intermediate.{table}", TABLES[table], rows)
    connection.execute(f"analyze intermediate.{table}".encode())


def _pairs(as_of: datetime, levels: Levels, windows: list[WindowCorrelations]) -> Iterator[Row]:
    first, second = np.triu_indices(len(levels.labels), k=1)
    for window in windows:
        values, observations = window.matrix[first, second], window.observations[first, second]
        codes = undefined_codes(values, observations, window.window_days)
        columns = zip(
            first.tolist(), second.tolist(), values.tolist(), observations.tolist(), codes.tolist(), strict=True
        )
        for a, b, value, count, code in columns:
            is_defined = code == ""
            yield (
                as_of,
                window.window_days,
                levels.labels[a],
                levels.labels[b],
                value if is_defined else None,
                count,
                None if is_defined else f"correlation:{code}",
            )


def _diversification(connection: Connection, common: Sequence[str], as_of_date: date) -> list[Row]:
    weights = read_weights(connection)
    held = {asset for assets in weights.values() for asset, _ in assets}
    levels = read_levels(connection, sorted(held.union(common)), as_of_date)
    return [
        (row.portfolio_id, row.diversification_ratio, row.undefined_reason)
        for row in diversified(weights, levels, common, read_unpriced(connection))
    ]


def _exposures(connection: Connection, as_of_date: date) -> list[Row]:
    found: list[Row] = []
    # one whose transactions are all gone has no day
    known = days_of(connection, as_of_date)
    for base_currency, in_scope in read_base_currencies(connection).items():
        portfolio_ids = [portfolio_id for portfolio_id in in_scope if portfolio_id in known]
        factors = read_factors(connection, base_currency, as_of_date)
        if not factors.instruments:
            continue
        for start in range(0, len(portfolio_ids), CHUNK):
            chunk = portfolio_ids[start : start + CHUNK]
            levels = portfolio_levels(read_series(connection, chunk, as_of_date), day_number(as_of_date), DAYS)
            found += [
                tuple(getattr(row, name) for name in TABLES["factor_exposures"])
                for row in exposures(chunk, levels, factors.instruments, factors.levels)
            ]
    return found
