"""The covariances that trades are weighed with, of any instruments of one base currency.

Belongs here: which days and estimator, and making them once for portfolios whose histories have the same days. Must not
be here: what a trade is worth (worth), the estimators (assets.allocation.population.moments), SQL.

Every portfolio has the bits that it would have alone: the sums of a pair depend on that pair, the shrinkage on the
portfolio's own part.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

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

_Key = tuple[int, tuple[int, ...], bool]


@dataclass
class _Asked:
    """What portfolios of one panel have asked for: its key, the number of histories then, and what that has cost."""

    key: _Key
    histories: int
    cost: int = 0
    widest: Universe | None = None
    panel: Panel | None = None


class SharedCovariances:
    """Gives covariances of some instruments; what portfolios have in common is made once enough of them ask.

    `histories` are of at least `LOOKBACK_DAYS`, in base currency; they may grow.
    """

    def __init__(self, histories: Histories) -> None:
        self.histories = histories
        self._shared = lru_cache(_KEPT_PANELS)(_Asked)

    def of(self, names: Iterable[str]) -> Covariance | None:
        """That of one portfolio, as `of_each` gives it."""
        return self.of_each([names])[0]

    def of_each(self, portfolios: Sequence[Iterable[str]]) -> list[Covariance | None]:
        """Of the usable histories among each one's names, cash left out; None: there is none or one is not finite."""
        found: list[Covariance | None] = [None] * len(portfolios)
        alike: dict[_Key, list[tuple[int, Universe]]] = defaultdict(list)
        for place, names in enumerate(portfolios):
            risky = [name for name in names if not name.startswith(CASH_PREFIX)]
            with suppress(AllocationError):
                universe = self.histories.universe(risky, LOOKBACK_DAYS)
                alike[universe.panel].append((place, universe))
        for key, asking in alike.items():
            shared = self._shared_panel(key, [universe for _, universe in asking])
            for part in [[one] for one in asking] if shared is None else [asking]:
                universes = [universe for _, universe in part]
                with suppress(AllocationError):
                    covariances = _parts(shared or self.histories.panel(universes), universes)
                    for (place, _), one in zip(part, covariances, strict=True):
                        found[place] = one
        return found

    def _shared_panel(self, key: _Key, universes: Sequence[Universe]) -> Panel | None:
        """The panel of all histories that can share it, made once those that ask have cost as much alone.

        None where too few days are common to them, which is so for each of them alone.
        """
        shared = self._shared(key, len(self.histories.series))
        if shared.widest is None:
            shared.widest = self.histories.widest(key)
        shared.cost += sum([_OWN_COST + len(universe.labels) ** 2 for universe in universes])
        if shared.panel is None and shared.cost > len(shared.widest.labels) ** 2:
            with suppress(AllocationError):
                shared.panel = self.histories.panel([shared.widest])
        return shared.panel


def _parts(panel: Panel, universes: Sequence[Universe]) -> Iterator[Covariance | None]:
    """The covariance a year of each universe."""
    whole, frequency = panel.covariances("ledoit_wolf"), panel.aligned.frequency
    members = [panel.members(universe) for universe in universes]
    offsets = np.cumsum([0, *map(len, members)])
    kept, added = moments.shrink_population(whole, offsets, np.concatenate(members))
    for universe, own, scale, level in zip(universes, members, kept, added, strict=True):
        matrix = scale * whole.matrix[own[:, None], own]
        matrix.flat[:: len(own) + 1] += level
        matrix *= frequency
        yield Covariance(universe.labels, matrix) if np.isfinite(matrix).all() else None
