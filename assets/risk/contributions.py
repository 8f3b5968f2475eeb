"""What each holding adds to the parametric value at risk: component, marginal and incremental VaR.

Belongs here: arithmetic on holdings and their returns. Must not be here: the VaR itself (value_at_risk), SQL.

Component VaR is Euler's allocation (Jorion 2006, chapter 7): the parts add up to the whole, because the parametric VaR
is homogeneous of the first degree in the values held.
"""

from dataclasses import dataclass

import numpy as np

from assets.risk.model import Floats, Holdings
from assets.risk.returns import Gains
from assets.risk.value_at_risk import Moments

# holdings whose returns are looked at together: with 730 days 1.8 MB an array, which the processor's cache still holds
CHUNK = 300


@dataclass(frozen=True)
class Shares:
    """Of (k,) holdings over the days that their portfolio has, a day each; NaN for what is left out.

    Attributes:
        mean: return.
        variance: of the return (n - 1).
        covariance: of the return with the portfolio's gain, in base currency.
    """

    mean: Floats
    variance: Floats
    covariance: Floats


@dataclass(frozen=True)
class Contributions:
    """(k,) each, in base currency, `marginal` by unit of it.

    Attributes:
        component: adds up to the portfolio's VaR.
        marginal: what one unit more of the holding adds to VaR.
        incremental: VaR less that of the portfolio without the holding.
    """

    component: Floats
    marginal: Floats
    incremental: Floats


def shares(holdings: Holdings, found: Gains, measured: Moments) -> Shares:
    """Mean, variance and covariance of each holding's daily return."""
    gains = found.gains[1]
    known = np.isfinite(gains)
    off = np.where(known, gains - measured.mean[:, None], 0.0)
    returns = np.nan_to_num(found.returns[1], nan=0.0)
    owner, count = holdings.owner, measured.count
    values = np.full((3, len(owner)), np.nan)
    for start in range(0, len(owner), CHUNK):
        part = np.arange(start, min(start + CHUNK, len(owner)))
        own, mine = returns[holdings.members[part]], owner[part]
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = np.where(known[mine], own, 0.0).sum(axis=1) / count[mine]
            apart = np.where(known[mine], own - mean[:, None], 0.0)
            freedom = np.where(count[mine] > 1, count[mine] - 1, np.nan)
            variance = (apart * apart).sum(axis=1) / freedom
            covariance = (apart * off[mine]).sum(axis=1) / freedom
        values[:, part] = np.where(found.included[part], np.vstack([mean, variance, covariance]), np.nan)
    return Shares(*values)


def contributions(holdings: Holdings, parts: Shares, measured: Moments, quantile: float, horizon: int) -> Contributions:
    """Split z sigma sqrt(h) - mu h.

    Args:
        holdings: what is held.
        parts: of `shares`.
        measured: moments of the daily gains.
        quantile: z, positive.
        horizon: days.
    """
    deviation = measured.deviation[holdings.owner]
    scale = quantile * np.sqrt(horizon)
    # without any deviation no holding has a part in it
    safe = np.where(deviation > 0, deviation, np.inf)
    marginal = scale * parts.covariance / safe - parts.mean * horizon
    # values and covariances as they are: the variance of what stays when the holding is taken out
    rest = deviation**2 - 2 * holdings.values * parts.covariance + holdings.values**2 * parts.variance
    without = np.sqrt(np.maximum(rest, 0.0))
    incremental = scale * (deviation - without) - holdings.values * parts.mean * horizon
    return Contributions(holdings.values * marginal, marginal, incremental)
