"""The covariances that trades are weighed with, of any instruments of one base currency.

Belongs here: which days and estimator, and making them once for portfolios whose histories have the same days. Must not
be here: what a trade is worth (worth), the estimators (assets.allocation.population.moments), SQL.

Every portfolio has the bits that it would have alone: the sums of a pair depend on that pair, the shrinkage on the
portfolio's own part.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from assets.allocation.inputs import Histories
from assets.allocation.model import AllocationError
from assets.allocation.population import moments
from assets.rebalancing.model import CASH_PREFIX, Covariance

#: History behind the covariance, for every portfolio alike; shrunk after Ledoit and Wolf.
LOOKBACK_DAYS = 365
# Mixtures of exchanges whose covariances stay in memory; portfolios with days of their own make theirs and drop them.
_KEPT_PANELS = 32


@dataclass(frozen=True)
class _Shared:
    """Covariances a period of all that has the same days: `places` by label, `frequency` periods a year."""

    places: Mapping[str, int]
    found: moments.Covariances
    frequency: int


class SharedCovariances:
    """Gives the covariance of some instruments; what portfolios have in common is made when it is first asked for.

    `histories` are of at least `LOOKBACK_DAYS`, in base currency; they may grow.
    """

    def __init__(self, histories: Histories) -> None:
        self.histories = histories
        self._shared = lru_cache(_KEPT_PANELS)(self._make)

    def of(self, names: Iterable[str]) -> Covariance | None:
        """Of the usable histories among `names`, cash left out; None where there is none or one is not finite."""
        risky = [name for name in names if not name.startswith(CASH_PREFIX)]
        try:
            universe = self.histories.universe(risky, LOOKBACK_DAYS)
            shared = self._shared(universe.panel, len(self.histories.series))
        except AllocationError:
            return None
        members = np.array([shared.places[label] for label in universe.labels])
        kept, added = moments.shrink_population(shared.found, np.array([0, len(members)]), members)
        own = shared.found.matrix[np.ix_(members, members)]
        matrix = (kept[0] * own + added[0] * np.eye(len(members))) * shared.frequency
        return Covariance(universe.labels, matrix) if np.isfinite(matrix).all() else None

    def _make(self, panel: tuple[int, tuple[int, ...], bool], _: int) -> _Shared:
        """Of one panel; the number of histories is there to make it anew when they grow."""
        found = self.histories.panel([self.histories.widest(panel)])
        return _Shared(found.positions, moments.covariances(found.by_asset, "ledoit_wolf"), found.aligned.frequency)
