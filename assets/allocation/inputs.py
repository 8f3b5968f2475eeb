"""Inputs that many portfolios share: histories judged once, panels of aligned returns, and estimates by parts of them.

Belongs here: which portfolios can share a panel, and what each takes of it. Must not be here: SQL, solvers, when a
series may be used at all (estimates), the estimators' formulas (population.moments).

Portfolios share a panel when the histories of their instruments have the same days: same window, same sets of days
(all that trades daily is one set, each exchange another), same days a year. A portfolio with a history that nobody else
has is a panel of its own. Either way its returns, its estimates and its version are those of its own universe, to the
last bit: nothing depends on who else is in the run.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property

import numpy as np

from assets.allocation.estimates import (
    BUSINESS_DAYS_PER_YEAR,
    AlignedReturns,
    Exclusion,
    PriceSeries,
    exclusion_of,
    in_window,
    join,
    nothing_usable,
)
from assets.allocation.model import FloatArray


@dataclass(frozen=True)
class Universe:
    """What a portfolio can be made of: `labels` sorted, the rest left out with reasons.

    `panel` is what portfolios must have in common to share a panel: lookback_days, the numbers of the histories' sets
    of days, and whether all of them trade daily.
    """

    labels: tuple[str, ...]
    exclusions: tuple[Exclusion, ...]
    panel: tuple[int, tuple[int, ...], bool]


class Histories:
    """The price series of one base currency up to a day, each judged once for each window that is asked for."""

    def __init__(self, as_of_date: date, series: Mapping[str, PriceSeries]) -> None:
        self._series = series
        self._end = np.datetime64(as_of_date, "D")
        self._as_of_date = as_of_date
        self._windows: dict[tuple[str, int], PriceSeries] = {}
        self._exclusions: dict[tuple[str, int, np.datetime64], Exclusion | None] = {}
        self._day_sets: dict[bytes, int] = {}
        self._day_set_of: dict[tuple[str, int], int] = {}

    def universe(self, candidates: Sequence[str], lookback_days: int) -> Universe:
        """What of the candidates can be used; they are looked at as `align_returns` does.

        Raises:
            EstimationError: nothing is left.
        """
        names = sorted(name for name in candidates if name in self._series)
        windows = [self._window(name, lookback_days) for name in names]
        first = min((item.dates[0] for item in windows if len(item.dates)), default=self._end)
        kept, exclusions = [], []
        for item in windows:
            exclusion = self._exclusion(item, lookback_days, first)
            if exclusion is None:
                kept.append(item)
            else:
                exclusions.append(exclusion)
        missing = [name for name in candidates if name not in self._series]
        exclusions += [Exclusion(name, "no_history", "no price in the window") for name in sorted(missing)]
        if not kept:
            raise nothing_usable(exclusions)
        day_sets = tuple(sorted({self._day_set(item, lookback_days) for item in kept}))
        is_daily = all(item.annualization_days > BUSINESS_DAYS_PER_YEAR for item in kept)
        return Universe(tuple(item.label for item in kept), tuple(exclusions), (lookback_days, day_sets, is_daily))

    def panel(self, universes: Sequence[Universe]) -> "Panel":
        """The returns of all instruments of universes that share a panel.

        Raises:
            EstimationError: too few days are common to them.
        """
        lookback_days = universes[0].panel[0]
        labels = sorted({label for universe in universes for label in universe.labels})
        windows = [self._window(label, lookback_days) for label in labels]
        observed = {self._day_set(item, lookback_days): item for item in windows}
        days = len(np.unique(np.concatenate([item.dates[np.isfinite(item.prices)] for item in observed.values()])))
        prices = [int(np.isfinite(item.prices).sum()) for item in windows]
        return Panel(join(windows, (), lookback_days), np.array(prices, dtype=np.int64), days)

    def _window(self, label: str, lookback_days: int) -> PriceSeries:
        found = self._windows.get((label, lookback_days))
        if found is None:
            start = np.datetime64(self._as_of_date - timedelta(days=lookback_days), "D")
            found = self._windows[label, lookback_days] = in_window(self._series[label], start, self._end)
        return found

    def _exclusion(self, item: PriceSeries, lookback_days: int, first: np.datetime64) -> Exclusion | None:
        key = (item.label, lookback_days, first)
        if key not in self._exclusions:
            self._exclusions[key] = exclusion_of(item, first, self._end)
        return self._exclusions[key]

    def _day_set(self, item: PriceSeries, lookback_days: int) -> int:
        key = (item.label, lookback_days)
        if key not in self._day_set_of:
            days = item.dates[np.isfinite(item.prices)].tobytes()
            self._day_set_of[key] = self._day_sets.setdefault(days, len(self._day_sets))
        return self._day_set_of[key]


@dataclass(frozen=True)
class Panel:
    """Aligned returns of the instruments of some portfolios; no NaN.

    `prices` (N,) observed in the window and `days`, on which any instrument was, tell what alignment left out.
    """

    aligned: AlignedReturns
    prices: np.ndarray
    days: int

    @cached_property
    def by_asset(self) -> FloatArray:
        """(N, t) returns."""
        return np.ascontiguousarray(self.aligned.returns.T)

    @cached_property
    def positions(self) -> Mapping[str, int]:
        """Place of each label."""
        return {label: place for place, label in enumerate(self.aligned.labels)}

    @cached_property
    def _digests(self) -> list[bytes]:
        return [hashlib.sha256(row.tobytes()).digest() for row in self.by_asset]

    @cached_property
    def _common(self) -> bytes:
        days = self.aligned.dates.astype("datetime64[D]").astype("int64").tobytes()
        return hashlib.sha256(repr(self.aligned.frequency).encode() + days).digest()

    def members(self, universe: Universe) -> np.ndarray:
        """(n,) places of a universe's labels."""
        return np.array([self.positions[label] for label in universe.labels], dtype=np.int64)

    def part(self, universe: Universe, members: np.ndarray) -> AlignedReturns:
        """The aligned returns of one universe, as `align_returns` gives them."""
        return AlignedReturns(
            universe.labels,
            self.aligned.dates,
            np.ascontiguousarray(self.aligned.returns[:, members]),
            self.aligned.frequency,
            universe.exclusions,
        )

    def missing_share(self, members: np.ndarray) -> float:
        """Share of the instruments' days in the window (those on which any of the panel was observed) with no price."""
        return 1.0 - float(self.prices[members].sum()) / (len(members) * self.days)

    def version(self, universe: Universe, members: Iterable[int], settings: Sequence[object]) -> str:
        """What estimates of a universe are made from, in 16 hex digits: settings, days, returns, what was left out."""
        digest = hashlib.sha256(repr((tuple(settings), universe.labels, universe.exclusions)).encode())
        digest.update(self._common)
        for member in members:
            digest.update(self._digests[member])
        return digest.hexdigest()[:16]


def condition(smallest: FloatArray, largest: FloatArray, sizes: np.ndarray) -> FloatArray:
    """Condition numbers, infinite where the smallest eigenvalue cannot be told from 0 beside the largest."""
    is_singular = smallest <= largest * sizes * np.finfo(np.float64).eps
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(is_singular, np.inf, largest / smallest)


def eigenvalues(
    covariance: FloatArray, kept: FloatArray, added: FloatArray, offsets: np.ndarray, members: np.ndarray
) -> tuple[FloatArray, FloatArray]:
    """Smallest and largest eigenvalue (portfolios,) of each portfolio's covariance; NaN where not finite."""
    sizes = np.diff(offsets)
    smallest, largest = np.full(len(sizes), np.nan), np.full(len(sizes), np.nan)
    for size in np.unique(sizes):
        chosen = np.flatnonzero(sizes == size)
        places = members[offsets[chosen][:, None] + np.arange(size)]
        stacked = covariance[places[:, :, None], places[:, None, :]] * kept[chosen, None, None]
        stacked[:, np.arange(size), np.arange(size)] += added[chosen, None]
        is_finite = np.isfinite(stacked).all(axis=(1, 2))
        values = np.linalg.eigvalsh(stacked[is_finite])
        smallest[chosen[is_finite]], largest[chosen[is_finite]] = values[:, 0], values[:, -1]
    return smallest, largest
