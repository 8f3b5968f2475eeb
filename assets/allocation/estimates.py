"""From price series to what an optimiser needs: aligned returns, expected returns and a covariance, by label.

Belongs here: which series may be used at all and why not, alignment, the estimators of PyPortfolioOpt 1.6.0, and the
health of the covariance. Must not be here: SQL, solvers, limits on weights.

PyPortfolioOpt matches means and covariances by position and its shrinkage estimators fill a missing return with 0, so
that an asset without data looks riskless: every array here is in one order, that of the sorted labels, and a series
with a hole in the rows used never gets this far.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from assets.allocation.model import EstimationError, FloatArray

if TYPE_CHECKING:
    import pandas as pd

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
    windows = {item.label: _in_window(item, start, end) for item in sorted(series, key=lambda item: item.label)}
    if len(windows) != len(series):
        raise ValueError("align_returns: each label once")
    first = min((item.dates[0] for item in windows.values() if len(item.dates)), default=end)
    exclusions = []
    kept = []
    for item in windows.values():
        exclusion = _exclusion(item, first, end)
        if exclusion is None:
            kept.append(item)
        else:
            exclusions.append(exclusion)
    if not kept:
        raise EstimationError(f"no instrument has a usable price history: {_listed(exclusions)}")
    return _joined(kept, tuple(exclusions), lookback_days)


def _in_window(series: PriceSeries, start: np.datetime64, end: np.datetime64) -> PriceSeries:
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


def _exclusion(series: PriceSeries, first: np.datetime64, end: np.datetime64) -> Exclusion | None:
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
    if unchanged.mean() > MAX_UNCHANGED_SHARE:
        return Exclusion(series.label, "unchanging", f"{100 * unchanged.mean():.0f} % of its closes repeat the last")
    changes = np.flatnonzero(~unchanged)
    repeated = _days(series.dates[-1] - series.dates[changes[-1] + 1])
    if repeated > max(MAX_REPEATED_DAYS, series.max_age_days):
        return Exclusion(series.label, "stale", f"the same close for {repeated} days")
    return None


def _days(span: np.timedelta64) -> int:
    return int(span / np.timedelta64(1, "D"))


def _joined(kept: list[PriceSeries], exclusions: tuple[Exclusion, ...], lookback_days: int) -> AlignedReturns:
    import pandas as pd

    columns = {item.label: pd.Series(item.prices, index=pd.DatetimeIndex(item.dates)) for item in kept}
    prices = pd.DataFrame(columns).dropna(how="any")
    if len(prices) < MIN_RETURNS + 1:
        raise EstimationError(
            f"only {len(prices)} days in {lookback_days} have a price of each of {len(kept)} instruments, "
            f"at least {MIN_RETURNS + 1}: lengthen lookback_days or take out what trades on other days"
        )
    values = prices.to_numpy(dtype=np.float64)
    is_daily = all(item.annualization_days > BUSINESS_DAYS_PER_YEAR for item in kept)
    return AlignedReturns(
        labels=tuple(str(label) for label in prices.columns),
        dates=prices.index.to_numpy().astype("datetime64[D]")[1:],
        returns=np.asarray(values[1:] / values[:-1] - 1.0, dtype=np.float64),
        frequency=DAYS_PER_YEAR if is_daily else BUSINESS_DAYS_PER_YEAR,
        exclusions=exclusions,
    )


def estimate(aligned: AlignedReturns, expected_returns: str, covariance: str, risk_free_rate: float = 0.0) -> Estimates:
    """Annualised estimates of aligned returns, by the estimators of PyPortfolioOpt 1.6.0.

    `mean` is `mean_historical_return` (geometric), `ema` its exponentially weighted sister (span 500), `capm` uses the
    equally weighted universe as its market. `sample`, `exponential` (span 180), `ledoit_wolf` (constant variance) and
    `oas` are the covariances. A covariance that is not positive semidefinite is repaired by cutting its negative
    eigenvalues to 0, and `is_repaired` tells.

    Raises:
        EstimationError: an estimate is not finite, or an instrument has no variance.
    """
    import pandas as pd

    returns = pd.DataFrame(aligned.returns, columns=list(aligned.labels))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        means = _expected_returns(returns, expected_returns, aligned.frequency, risk_free_rate)
        matrix = _covariance(returns, covariance, aligned.frequency)
    is_repaired = any("semidefinite" in str(warning.message) for warning in caught)
    labels = list(aligned.labels)
    mu = np.asarray(means.reindex(labels), dtype=np.float64)
    sigma = np.asarray(matrix.reindex(index=labels, columns=labels), dtype=np.float64)
    return make_estimates(aligned.labels, mu, sigma, aligned.returns, aligned.frequency, is_repaired)


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


def _expected_returns(
    returns: "pd.DataFrame", method: str, frequency: int, risk_free_rate: float
) -> "pd.Series[float]":
    from pypfopt import expected_returns as estimators

    options: dict[str, Any] = {"returns_data": True, "compounding": True, "frequency": frequency}
    result: pd.Series[float]
    if method == "mean":
        result = estimators.mean_historical_return(returns, **options)
    elif method == "ema":
        result = estimators.ema_historical_return(returns, **options)
    elif method == "capm":
        result = estimators.capm_return(returns, risk_free_rate=risk_free_rate, **options)
    else:
        raise ValueError(f"expected_returns {method!r}: mean, ema or capm")
    return result


def _covariance(returns: "pd.DataFrame", method: str, frequency: int) -> "pd.DataFrame":
    from pypfopt import risk_models

    result: pd.DataFrame
    if method == "sample":
        result = risk_models.sample_cov(returns, returns_data=True, frequency=frequency)
    elif method == "exponential":
        result = risk_models.exp_cov(returns, returns_data=True, frequency=frequency)
    elif method == "ledoit_wolf":
        result = risk_models.CovarianceShrinkage(returns, returns_data=True, frequency=frequency).ledoit_wolf()
    elif method == "oas":
        shrinkage = risk_models.CovarianceShrinkage(returns, returns_data=True, frequency=frequency)
        result = shrinkage.oracle_approximating()
    else:
        raise ValueError(f"covariance {method!r}: sample, exponential, ledoit_wolf or oas")
    return result


def _listed(exclusions: Sequence[Exclusion]) -> str:
    shown = "; ".join(str(exclusion) for exclusion in exclusions[:5])
    rest = len(exclusions) - 5
    return shown + (f" and {rest} more" if rest > 0 else "") if shown else "the universe is empty"
