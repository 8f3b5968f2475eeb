"""Inputs that many portfolios share: histories judged once, panels of aligned returns, and estimates by parts of them.

Belongs here: which portfolios can share a panel, and what each takes of it. Must not be here: SQL, solvers, when a
series may be used at all (estimates), the estimators' formulas (population.moments).

Portfolios share a panel when the histories of their instruments have the same days: same window, same sets of days
(all that trades daily is one set, each exchange another), same days a year. A portfolio with a history that nobody else
has is a panel of its own. Either way its returns, its estimates and its version are those of its own universe, to the
last bit: nothing depends on who else is in the run.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property, lru_cache

import numpy as np

from assets.allocation.estimates import (
    BUSINESS_DAYS_PER_YEAR,
    AlignedReturns,
    DateArray,
    Exclusion,
    PriceSeries,
    exclusion_of,
    in_window,
    join,
    nothing_usable,
)
from assets.allocation.model import FloatArray
from assets.allocation.population import moments

# Panels that stay in memory: those of the commonest mixtures of exchanges serve one lot of portfolios after the other.
_KEPT_PANELS = 4
# Universes that stay in memory, more than a lot of portfolios has: weights and trades ask for the same ones.
_KEPT_UNIVERSES = 8_192


@dataclass(frozen=True)
class Universe:
    """What a portfolio can be made of: `labels` sorted, the rest left out with reasons.

    `panel` is what portfolios must have in common to share a panel: lookback_days, the numbers of the histories' sets
    of days, and whether all of them trade daily.
    """

    labels: tuple[str, ...]
    exclusions: tuple[Exclusion, ...]
    panel: tuple[int, tuple[int, ...], bool]


@dataclass
class _Window:
    """A series in a window: its first day (None: empty), its set of days, and what it is beside longer ones."""

    series: PriceSeries
    first: date | None
    day_set: int
    exclusions: dict[date, Exclusion | None] = field(default_factory=dict)

    def exclusion(self, first: date, end: date) -> Exclusion | None:
        """As `exclusion_of`, asked once for each `first`."""
        if first not in self.exclusions:
            days = np.datetime64(first, "D"), np.datetime64(end, "D")
            self.exclusions[first] = exclusion_of(self.series, *days)
        return self.exclusions[first]


class Histories:
    """The price series of one base currency up to a day, each judged once for each window that is asked for.

    `series` may grow; what is there stays.
    """

    def __init__(self, as_of_date: date, series: Mapping[str, PriceSeries]) -> None:
        self.series, self.as_of_date = series, as_of_date
        self._end = np.datetime64(as_of_date, "D")
        self._windows: dict[int, dict[str, _Window]] = defaultdict(dict)
        self._day_sets: dict[bytes, int] = {}
        self._by_days: dict[tuple[int, int], list[_Window]] = defaultdict(list)
        self._panel = lru_cache(_KEPT_PANELS)(self._join)
        self._universe = lru_cache(_KEPT_UNIVERSES)(self._usable)

    def universe(self, candidates: Sequence[str], lookback_days: int) -> Universe:
        """What of the candidates can be used; they are looked at as `align_returns` does.

        Raises:
            EstimationError: nothing is left.
        """
        return self._universe(tuple(sorted(candidates)), lookback_days, len(self.series))

    def _usable(self, candidates: tuple[str, ...], lookback_days: int, histories: int) -> Universe:
        """That of sorted candidates while there are so many `histories`: with more of them it may be another."""
        windows = self._in_window(candidates, lookback_days)
        first = min({item.first for item in windows if item.first is not None}, default=self.as_of_date)
        kept, exclusions = [], []
        for item in windows:
            exclusion = item.exclusion(first, self.as_of_date)
            if exclusion is None:
                kept.append(item)
            else:
                exclusions.append(exclusion)
        if len(windows) < len(candidates):
            missing = [name for name in candidates if name not in self.series]
            exclusions += [Exclusion(name, "no_history", "no price in the window") for name in missing]
        if not kept:
            raise nothing_usable(exclusions)
        day_sets = tuple(sorted({item.day_set for item in kept}))
        is_daily = all(item.series.annualization_days > BUSINESS_DAYS_PER_YEAR for item in kept)
        labels = tuple(item.series.label for item in kept)
        return Universe(labels, tuple(exclusions), (lookback_days, day_sets, is_daily))

    def widest(self, panel: tuple[int, tuple[int, ...], bool]) -> Universe:
        """All usable histories that can share a panel (`Universe.panel`): no universe of it has others."""
        lookback_days, day_sets, is_daily = panel
        if len(self._windows[lookback_days]) < len(self.series):
            self._in_window(sorted(self.series), lookback_days)
        labels = [
            item.series.label
            for day_set in day_sets
            for item in self._by_days[lookback_days, day_set]
            if not (is_daily and item.series.annualization_days <= BUSINESS_DAYS_PER_YEAR)
            and item.first is not None
            and item.exclusion(item.first, self.as_of_date) is None
        ]
        return Universe(tuple(sorted(labels)), (), panel)

    def panel(self, universes: Sequence[Universe]) -> "Panel":
        """The returns of all instruments of universes that share a panel.

        Raises:
            EstimationError: too few days are common to them, which is so for each of them alone.
        """
        labels = sorted({label for universe in universes for label in universe.labels})
        return self._panel(tuple(labels), universes[0].panel[0])

    def _join(self, labels: tuple[str, ...], lookback_days: int) -> "Panel":
        windows = self._in_window(labels, lookback_days)
        observed = {item.day_set: _observed(item.series) for item in windows}
        days = len(np.unique(np.concatenate(list(observed.values()))))
        prices = np.array([len(observed[item.day_set]) for item in windows], dtype=np.int64)
        return Panel(join([item.series for item in windows], (), lookback_days), prices, days)

    def _in_window(self, labels: Sequence[str], lookback_days: int) -> list[_Window]:
        """Of the labels that have a series, in their order."""
        known = self._windows[lookback_days]
        found = []
        for label in labels:
            item = known.get(label)
            if item is None and label in self.series:
                start = np.datetime64(self.as_of_date - timedelta(days=lookback_days), "D")
                series = in_window(self.series[label], start, self._end)
                day_set = self._day_sets.setdefault(_observed(series).tobytes(), len(self._day_sets))
                first = series.dates[0].astype("datetime64[D]").item() if len(series.dates) else None
                item = known[label] = _Window(series, first, day_set)
                self._by_days[lookback_days, day_set].append(item)
            if item is not None:
                found.append(item)
        return found


def _observed(series: PriceSeries) -> DateArray:
    return series.dates[np.isfinite(series.prices)]


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

    def covariances(self, method: str) -> moments.Covariances:
        """What the covariances of all parts follow from, made when it is first asked for."""
        if method not in self._covariances:
            self._covariances[method] = moments.covariances(self.by_asset, method)
        return self._covariances[method]

    @cached_property
    def _covariances(self) -> dict[str, moments.Covariances]:
        return {}

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
        digest.update(b"".join([self._common, *(self._digests[member] for member in members)]))
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
