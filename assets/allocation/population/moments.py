"""Expected returns and covariances of a universe, made once, of which every portfolio takes its part exactly.

Belongs here: the estimators, and what a portfolio's own shrinkage makes of the universe's covariance. Must not be here:
the sums (moments_kernel), which series may be used (assets.allocation.estimates), SQL, labels.

The estimators are those of PyPortfolioOpt 1.6.0 (scikit-learn's for the shrunk ones), equal within 1e-12. A
portfolio's estimates depend on its own members alone: means and unshrunk covariances are made pair by pair, and the
shrinkage of a part follows from sums over that part.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from assets.allocation.population import moments_kernel
from assets.allocation.population.shapes import Floats, Integers, floats, integers, spread
from assets.performance.compiled import kernel

EMA_SPAN = 500
COVARIANCE_SPAN = 180
RETURN_METHODS = ("mean", "ema", "capm")
COVARIANCE_METHODS = ("sample", "exponential", "ledoit_wolf", "oas")
_SHRUNK = {"ledoit_wolf": moments_kernel.LEDOIT_WOLF, "oas": moments_kernel.OAS}


@dataclass(frozen=True)
class Covariances:
    """What the covariance of any part of a universe follows from, a period.

    Attributes:
        method: one of COVARIANCE_METHODS.
        matrix: (N, N), before shrinkage.
        fourth: (N, N) mean products of squared deviations (ledoit_wolf), else empty.
        observations: days.
    """

    method: str
    matrix: Floats
    fourth: Floats
    observations: int


def expected_returns(by_asset: Floats, method: str, frequency: int, risk_free_rate: float = 0.0) -> Floats:
    """Expected returns a year, (N,).

    `mean`: geometric, over all days; `ema`: compounds the exponentially weighted mean (span 500); `capm`: the equally
    weighted universe is the market, so that these depend on the whole universe passed.

    Args:
        by_asset: (N, days) simple returns, finite.
        method: one of RETURN_METHODS.
        frequency: days a year.
        risk_free_rate: a year, for capm.

    Raises:
        ValueError: another method.
    """
    returns = floats(by_asset)
    days = returns.shape[1]
    if method == "mean":
        return np.asarray(np.prod(1.0 + returns, axis=1) ** (frequency / days) - 1.0)
    if method == "ema":
        weights = _fading(days, EMA_SPAN)
        return np.asarray((1.0 + (returns * weights).sum(axis=1)) ** frequency - 1.0)
    if method == "capm":
        market = returns.mean(axis=0)
        growth = np.prod(1.0 + market) ** (frequency / days) - 1.0
        deviation = market - market.mean()
        with np.errstate(divide="ignore", invalid="ignore"):
            betas = (returns - returns.mean(axis=1, keepdims=True)) @ deviation / (deviation @ deviation)
        return np.asarray(risk_free_rate + betas * (growth - risk_free_rate))
    raise ValueError(f"expected_returns {method!r}, expected one of {', '.join(RETURN_METHODS)}")


def covariances(by_asset: Floats, method: str) -> Covariances:
    """What the covariances of all parts of the universe follow from.

    `sample` (divided by days - 1), `exponential` (span 180), `ledoit_wolf` and `oas` (towards the mean variance).

    Args:
        by_asset: (N, days) simple returns, finite.
        method: one of COVARIANCE_METHODS.

    Raises:
        ValueError: another method.
    """
    if method not in COVARIANCE_METHODS:
        raise ValueError(f"covariance {method!r}, expected one of {', '.join(COVARIANCE_METHODS)}")
    returns = floats(by_asset)
    deviations = returns - returns.mean(axis=1, keepdims=True)
    days = returns.shape[1]
    shares = _fading(days, COVARIANCE_SPAN) if method == "exponential" else np.ones(days)
    divisor = {"sample": days - 1.0, "exponential": 1.0}.get(method, float(days))
    fourth = np.empty((0, 0))
    if method == "ledoit_wolf":
        fourth = _products(deviations**2, shares) / days
    return Covariances(method, _products(deviations, shares) / divisor, fourth, days)


def shrink_population(found: Covariances, offsets: Integers, members: Integers) -> tuple[Floats, Floats]:
    """How each portfolio's own covariance is made of the universe's: kept x matrix + added x identity.

    Args:
        found: of the universe.
        offsets: (portfolios + 1,) members of portfolio j are members[offsets[j]:offsets[j + 1]].
        members: positions in the universe.

    Returns:
        kept and added, (portfolios,) each; 1 and 0 where the method does not shrink.
    """
    offsets, members = integers(offsets), integers(members)
    count = len(offsets) - 1
    kept, added = np.ones(count), np.zeros(count)
    if found.method in _SHRUNK:
        steps = int((np.diff(offsets) ** 2).sum())
        kernel(moments_kernel.fill_shrinkage, steps)(
            found.matrix, found.fourth, found.observations, offsets, members, _SHRUNK[found.method], kept, added
        )
    return kept, added


def figures_of(
    covariance: Floats,
    returns: Floats,
    offsets: Integers,
    members: Integers,
    weights: Floats,
    kept: ArrayLike = 1.0,
    added: ArrayLike = 0.0,
) -> tuple[Floats, Floats]:
    """Expected return and volatility (portfolios,) of weights (as members); NaN where a weight is."""
    count = len(offsets) - 1
    expected, variances = np.empty(count), np.empty(count)
    kernel(moments_kernel.fill_figures, int((np.diff(offsets) ** 2).sum()))(
        floats(covariance),
        floats(returns),
        integers(offsets),
        integers(members),
        floats(weights),
        spread(kept, count),
        spread(added, count),
        expected,
        variances,
    )
    return expected, np.sqrt(np.maximum(variances, 0.0))


def _products(deviations: Floats, shares: Floats) -> Floats:
    size, days = deviations.shape
    products = np.empty((size, size))
    kernel(moments_kernel.fill_products, size * (size + 1) // 2 * days)(floats(deviations.T), shares, products)
    return products


def _fading(days: int, span: int) -> Floats:
    """Shares (days,) that fall by 1 - 2 / (span + 1) a day into the past and add up to 1."""
    weights = (1.0 - 2.0 / (span + 1)) ** np.arange(days - 1, -1, -1, dtype=np.float64)
    return np.asarray(weights / weights.sum())
