"""A reading between two runs: correlations with the newest prices of the open day, every quarter of an hour.

Belongs here: how newest prices join the closes that the last run left. Must not be here: SQL (loading), asking sources
(market), publishing: the next publication shows the readings since the one before.

What is held, closes, splits and exchange rates are those of the last run; only prices are newer. One that is not seen
since has no level on the open day, so its pairs end with the last day that both have.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np

from assets.correlation.loading import read_last_run_date, read_levels, read_moves, read_universe
from assets.correlation.model import WINDOWS, Levels
from assets.correlation.pairs import correlate
from assets.correlation.store import write_reading
from assets.warehouse.database import Connection


@dataclass(frozen=True)
class Watched:
    """A reading: the moment of its newest price, how many assets have moved, and the regime of each window."""

    as_of: datetime
    moved: int
    regimes: dict[int, str | None]

    def __str__(self) -> str:
        regimes = ", ".join(f"{days} d {name or 'undefined'}" for days, name in sorted(self.regimes.items()))
        return f"{self.moved} assets moved; {regimes}"


def watch(connection: Connection) -> Watched | None:
    """Add a reading of the newest prices; None: there is no newer price, or a run is at work, which makes its own.

    Args:
        connection: in a transaction of the caller's.
    """
    last_date = read_last_run_date(connection)
    if last_date is None:
        return None
    instrument_ids, _ = read_universe(connection, last_date)
    moves = read_moves(connection, instrument_ids, last_date)
    if not moves:
        return None
    as_of = max(moment for moment, _ in moves.values())
    levels = with_moves(read_levels(connection, instrument_ids, as_of.date()), moves, as_of.date())
    regimes = write_reading(connection, as_of, [correlate(levels, days) for days in WINDOWS])
    return Watched(as_of, len(moves), regimes)


def with_moves(levels: Levels, moves: Mapping[str, tuple[datetime, float]], newest_date: date) -> Levels:
    """The levels with what each asset has moved since its last one, on the day of its newest price.

    Args:
        levels: of the days that end with `newest_date`.
        moves: asset -> moment and ratio to its last level.
        newest_date: the day of the newest price of all.
    """
    values = levels.values.copy()
    for row, label in enumerate(levels.labels):
        if label not in moves:
            continue
        moment, ratio = moves[label]
        known = np.flatnonzero(~np.isnan(values[row]))
        column = values.shape[1] - 1 - (newest_date - moment.date()).days
        if len(known) and column >= known[-1]:
            values[row, column] = values[row, known[-1]] * ratio
    return Levels(levels.labels, values, levels.periods_per_year)
