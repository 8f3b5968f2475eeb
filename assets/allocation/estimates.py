"""From price series to what an optimiser needs: aligned returns, expected returns and a covariance, by label.

Belongs here: which series may be used at all and why not, alignment, the health of the covariance. Must not be here:
SQL, solvers, limits on weights, the estimators' formulas (population.moments), what many portfolios share (inputs).

PyPortfolioOpt matches means and covariances by position and its shrinkage estimators fill a missing return with 0, so
that an asset without data looks riskless: every array here is in one order, that of the sorted labels, and a series
with a hole in the rows used never gets this far.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from assets.allocation.model import EstimationError, FloatArray
from assets.allocation.population import moments

DateArray = NDArray[np.datetime64]

# Fewer than 20 returns (a month of business days) estimate nothing: the standard error of a volatility is 16 % there.
MIN_RETURNS = 20
# A series must have this share of the observations its calendar has in the window, or it would thin out all others.
MIN_COVERAGE = 0.5
# More unchanged closes than this, and it is a repeated price, not a market: it would look riskless.
MAX_UNCHANGED_SHARE = 0.5
# A close repeated for longer than this (or than the instrument's own limit) is a feed that has stopped.
MAX_REPEATED_DAYS = 10
DAYS_PER_YEAR = 365
BUSINESS_DAYS_PER_YEAR = 252


@dataclass(frozen=True)
class PriceSeries:
    """Observed closes of one instrument, oldest first, splits undone.

    `dates` (t,) datetime64[D]; `prices` (t,) in the portfolio's base currency, NaN where the exchange rate is unknown;
    `quote_prices` (t,) in the instrument's own currency, to tell a price that stands still from a rate that moves.
    """

    label: str
    dates: DateArray
    prices: FloatArray
    quote_prices: FloatArray
    annualization_days: int = BUSINESS_DAYS_PER_YEAR
    max_age_days: int = 5


@dataclass(frozen=True)
class Exclusion:
    """An instrument that is left out, with a code (see `align_returns`) and what was seen."""

    label: str
    code: str
    detail: str

    def __str__(self) -> str:
        return f"{self.label}: {self.code} ({self.detail})"


@dataclass(frozen=True)
class AlignedReturns:
    """Simple returns (t, n) on days on which every label was observed; no NaN. `frequency` is such days per year."""

    labels: tuple[str, ...]
    dates: DateArray
    returns: FloatArray
    frequency: int
    exclusions: tuple[Exclusion, ...]


@dataclass(frozen=True)
class Estimates:
    """Annualised expected returns (n,), covariance (n, n) and the returns (t, n) behind them, in label order."""

    labels: tuple[str, ...]
    expected_returns: FloatArray
    covariance: FloatArray
    returns: FloatArray
    frequency: int
    condition_number: float
    smallest_eigenvalue: float
    is_repaired: bool

    @property
    def observations(self) -> int:
        """Number of returns of each label."""
        return len(self.returns)


def align_returns(series: Sequence[PriceSeries], as_of_date: date, lookback_days: int) -> AlignedReturns:
    """Returns of all usable series on the days on which all of them were observed.

    Labels come out sorted, whatever order they came in, so that a permutation of the universe changes nothing. One
    instrument that does not trade at weekends makes every row a business day (252 a year): a Monday's return of the
    others then spans the weekend. Only where everything trades daily is it 365.

    Exclusion codes: `no_history` (no price in the window), `missing_rate` (no exchange rate to the base currency),
    `stale` (last observed or last changed too long ago), `unchanging` (the same close again and again), `too_short`
    (began too late), `too_sparse` (too few observations for its calendar).

    Args:
        series: one per label.
        as_of_date: last day that counts.
        lookback_days: calendar days of history.

    Raises:
        EstimationError: no series is left, or too few days are common to all of them.
    """
    start = np.datetime64(as_of_date - timedelta(days=lookback_days), "D")
    end = np.datetime64(as_of_date, "D")
    windows = {item.label: in_window(item, start, end) for item in sorted(series, key=lambda item: item.label)}
    if len(windows) != len(series):
        raise ValueError("align_returns: each label once")
    first = min((item.dates[0] for item in windows.values() if len(item.dates)), default=end)
    exclusions = []
    kept = []
    for item in windows.values():
        exclusion = exclusion_of(item, first, end)
        if exclusion is None:
            kept.append(item)
        else:
            exclusions.append(exclusion)
    if not kept:
        raise nothing_usable(exclusions)
    return join(kept, tuple(exclusions), lookback_days)


def in_window(series: PriceSeries, start: np.datetime64, end: np.datetime64) -> PriceSeries:
    """The part of a series from `start` to `end`, without what is no price."""
    inside = (series.dates >= start) & (series.dates <= end) & np.isfinite(series.quote_prices)
    inside &= series.quote_prices > 0
    return PriceSeries(
        series.label,
        series.dates[inside],
        series.prices[inside],
        series.quote_prices[inside],
        series.annualization_days,
        series.max_age_days,
    )


def exclusion_of(series: PriceSeries, first: np.datetime64, end: np.datetime64) -> Exclusion | None:
    """Why a series in its window cannot be used beside others of which the longest begins at `first`; None: it can."""
    if not len(series.dates):
        return Exclusion(series.label, "no_history", "no price in the window")
    if not np.isfinite(series.prices).any():
        return Exclusion(series.label, "missing_rate", "no exchange rate to the base currency")
    age = _days(end - series.dates[-1])
    if age > series.max_age_days:
        return Exclusion(series.label, "stale", f"last price {age} days ago, limit {series.max_age_days}")
    return _poor_shape(series, first, end)


def _poor_shape(series: PriceSeries, first: np.datetime64, end: np.datetime64) -> Exclusion | None:
    observed = series.dates[np.isfinite(series.prices)]
    count = len(observed)
    if count < MIN_RETURNS + 1 and _days(end - observed[0]) < 2 * MIN_RETURNS:
        return Exclusion(series.label, "too_short", f"{count} prices since {observed[0]}, at least {MIN_RETURNS + 1}")
    own_days = _days(end - observed[0]) + 1
    if count < MIN_RETURNS + 1 or count < MIN_COVERAGE * own_days * series.annualization_days / DAYS_PER_YEAR:
        return Exclusion(series.label, "too_sparse", f"{count} prices in {own_days} days")
    window_days = _days(end - first) + 1
    if own_days < MIN_COVERAGE * window_days:
        return Exclusion(series.label, "too_short", f"begins {observed[0]}, others {first}")
    unchanged = np.diff(series.quote_prices) == 0
    share = np.count_nonzero(unchanged) / len(unchanged)
    if share > MAX_UNCHANGED_SHARE:
        return Exclusion(series.label, "unchanging", f"{100 * share:.0f} % of its closes repeat the last")
    changes = np.flatnonzero(~unchanged)
    repeated = _days(series.dates[-1] - series.dates[changes[-1] + 1])
    if repeated > max(MAX_REPEATED_DAYS, series.max_age_days):
        return Exclusion(series.label, "stale", f"the same close for {repeated} days")
    return None


def _days(span: np.timedelta64) -> int:
    return int(span.astype("timedelta64[D]").astype(np.int64))


def join(kept: Sequence[PriceSeries], exclusions: tuple[Exclusion, ...], lookback_days: int) -> AlignedReturns:
    """Returns of usable series on the days on which all of them have a price.

    Args:
        kept: at least one, sorted by label.
        exclusions: what was left out before, handed on.
        lookback_days: for the message.

    Raises:
        EstimationError: too few days are common to all of them.
    """
    days = _observed(kept[0])
    for item in kept[1:]:
        own = _observed(item)
        if not np.array_equal(own, days):
            days = np.intersect1d(days, own, assume_unique=True)
    if len(days) < MIN_RETURNS + 1:
        raise EstimationError(
            f"only {len(days)} days in {lookback_days} have a price of each of {len(kept)} instruments, "
            f"at least {MIN_RETURNS + 1}: lengthen lookback_days or take out what trades on other days"
        )
    prices = np.column_stack([item.prices[np.searchsorted(item.dates, days)] for item in kept])
    is_daily = all(item.annualization_days > BUSINESS_DAYS_PER_YEAR for item in kept)
    return AlignedReturns(
        labels=tuple(item.label for item in kept),
        dates=days[1:],
        returns=np.asarray(prices[1:] / prices[:-1] - 1.0, dtype=np.float64),
        frequency=DAYS_PER_YEAR if is_daily else BUSINESS_DAYS_PER_YEAR,
        exclusions=exclusions,
    )


def _observed(series: PriceSeries) -> DateArray:
    return series.dates[np.isfinite(series.prices)]


def estimate(aligned: AlignedReturns, expected_returns: str, covariance: str, risk_free_rate: float = 0.0) -> Estimates:
    """Annualised estimates of aligned returns, by the estimators of PyPortfolioOpt 1.6.0 (population.moments).

    A covariance that is not positive semidefinite is repaired by cutting its negative eigenvalues to 0, and
    `is_repaired` tells.

    Raises:
        EstimationError: an estimate is not finite, or an instrument has no variance.
    """
    by_asset = np.ascontiguousarray(aligned.returns.T)
    members = np.arange(len(by_asset))
    means = moments.expected_returns(by_asset, expected_returns, aligned.frequency, risk_free_rate)
    found = moments.covariances(by_asset, covariance)
    kept, added = moments.shrink_population(found, np.array([0, len(members)]), members)
    matrix = (kept[0] * found.matrix + added[0] * np.eye(len(members))) * aligned.frequency
    return estimate_of(aligned, means, matrix)


def estimate_of(aligned: AlignedReturns, expected_returns: FloatArray, covariance: FloatArray) -> Estimates:
    """Estimates from what was made elsewhere, the covariance repaired where it is not positive semidefinite.

    Raises:
        EstimationError: an estimate is not finite, or an instrument has no variance.
    """
    is_repaired = False
    if np.isfinite(covariance).all() and not _is_positive_semidefinite(covariance):
        values, vectors = np.linalg.eigh(covariance)
        covariance = (vectors * np.maximum(values, 0.0)) @ vectors.T
        is_repaired = True
    return make_estimates(aligned.labels, expected_returns, covariance, aligned.returns, aligned.frequency, is_repaired)


def _is_positive_semidefinite(matrix: FloatArray) -> bool:
    """As PyPortfolioOpt asks: with 1e-16 added to its diagonal it has a Cholesky factor."""
    try:
        np.linalg.cholesky(matrix + 1e-16 * np.eye(len(matrix)))
    except np.linalg.LinAlgError:
        return False
    return True


def make_estimates(
    labels: tuple[str, ...],
    expected_returns: FloatArray,
    covariance: FloatArray,
    returns: FloatArray,
    frequency: int,
    is_repaired: bool = False,
) -> Estimates:
    """Estimates with the health of their covariance: eigenvalues and condition number (infinite when singular).

    Raises:
        EstimationError: a value is not finite, or a variance is not above 0.
    """
    if not (np.isfinite(expected_returns).all() and np.isfinite(covariance).all()):
        bad = [
            label
            for i, label in enumerate(labels)
            if not (np.isfinite(expected_returns[i]) and np.isfinite(covariance[i]).all())
        ]
        raise EstimationError(f"an estimate is not a number: {', '.join(bad)}")
    riskless = [label for i, label in enumerate(labels) if covariance[i, i] <= 0]
    if riskless:
        raise EstimationError(f"no variance at all, so it would take everything: {', '.join(riskless)}")
    symmetric = (covariance + covariance.T) / 2
    eigenvalues = np.linalg.eigvalsh(symmetric)
    smallest, largest = float(eigenvalues[0]), float(eigenvalues[-1])
    # below the rounding of the largest one it cannot be told from 0
    is_singular = smallest <= largest * len(labels) * np.finfo(np.float64).eps
    return Estimates(
        labels=labels,
        expected_returns=expected_returns,
        covariance=symmetric,
        returns=returns,
        frequency=frequency,
        condition_number=float("inf") if is_singular else largest / smallest,
        smallest_eigenvalue=smallest,
        is_repaired=is_repaired,
    )


def nothing_usable(exclusions: Sequence[Exclusion]) -> EstimationError:
    """The error of a universe of which nothing is left, with the first reasons."""
    shown = "; ".join(str(exclusion) for exclusion in exclusions[:5])
    rest = len(exclusions) - 5
    listed = shown + (f" and {rest} more" if rest > 0 else "") if shown else "the universe is empty"
    return EstimationError(f"no instrument has a usable price history: {listed}")
