"""The covariances that trades are weighed with, of any instruments of one base currency.

Belongs here: which days and estimator, and making them once for portfolios whose histories have the same days. Must not
be here: what a trade is worth (worth), the estimators (assets.allocation.population.moments), SQL.

Every portfolio has the bits that it would have alone: the sums of a pair depend on that pair, the shrinkage on the
portfolio's own part.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from assets.allocation.inputs import Histories, Panel, Universe
from assets.allocation.model import AllocationError
from assets.allocation.population import moments
from assets.rebalancing.model import CASH_PREFIX, Covariance

#: History behind the covariance, for every portfolio alike; shrunk after Ledoit and Wolf.
LOOKBACK_DAYS = 365
# Mixtures of exchanges whose covariances stay in memory.
_KEPT_PANELS = 8
# What one portfolio's own estimates cost beside its pairs of instruments, in pairs; as measured in 2026.
_OWN_COST = 2_000


@dataclass
class _Asked:
    """What portfolios of one panel have asked for: its key, the number of histories then, and what that has cost."""

    key: tuple[int, tuple[int, ...], bool]
    histories: int
    cost: int = 0
    widest: Universe | None = None
    panel: Panel | None = None


class SharedCovariances:
    """Gives the covariance of some instruments; what portfolios have in common is made once enough of them ask.

    `histories` are of at least `LOOKBACK_DAYS`, in base currency; they may grow.
    """

    def __init__(self, histories: Histories) -> None:
        self.histories = histories
        self._shared = lru_cache(_KEPT_PANELS)(_Asked)

    def of(self, names: Iterable[str]) -> Covariance | None:
        """Of the usable histories among `names`, cash left out; None where there is none or one is not finite."""
        risky = [name for name in names if not name.startswith(CASH_PREFIX)]
        try:
            universe = self.histories.universe(risky, LOOKBACK_DAYS)
            found, frequency, members = self._parts(universe)
        except AllocationError:
            return None
        kept, added = moments.shrink_population(found, np.array([0, len(members)]), members)
        own = found.matrix[np.ix_(members, members)]
        matrix = (kept[0] * own + added[0] * np.eye(len(members))) * frequency
        return Covariance(universe.labels, matrix) if np.isfinite(matrix).all() else None

    def _parts(self, universe: Universe) -> tuple[moments.Covariances, int, NDArray[np.int64]]:
        """Covariances a period, periods a year, and the places of a universe's instruments in them.

        A panel of all histories is made once the portfolios that asked for it have cost as much alone.
        """
        shared = self._shared(universe.panel, len(self.histories.series))
        if shared.widest is None:
            shared.widest = self.histories.widest(universe.panel)
        shared.cost += _OWN_COST + len(universe.labels) ** 2
        if shared.panel is None and shared.cost > len(shared.widest.labels) ** 2:
            shared.panel = self.histories.panel([shared.widest])
        panel = shared.panel or self.histories.panel([universe])
        return panel.covariances("ledoit_wolf"), panel.aligned.frequency, panel.members(universe)
