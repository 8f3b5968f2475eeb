"""All measures of some portfolios from their hypothetical gains: four methods, two horizons, two confidences.

Belongs here: which estimate belongs to which row, and when none may be shown. Must not be here: the formulas
(value_at_risk, contributions), rows of tables (risk_rows), SQL.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assets.risk import reasons
from assets.risk.contributions import Contributions, Shares, contributions, shares
from assets.risk.model import CONFIDENCES, HORIZONS, MAX_EXCLUDED_SHARE, MIN_OBSERVATIONS, Floats, Holdings, Integers
from assets.risk.returns import Gains
from assets.risk.value_at_risk import (
    Estimate,
    Moments,
    cornish_fisher,
    draws,
    historical,
    moments,
    monte_carlo,
    parametric,
)

Texts = NDArray[np.str_]


@dataclass(frozen=True)
class Measured:
    """What came out, (p,) or (k,) as in `Holdings`.

    Attributes:
        net: (p,) value, what is owed taken off.
        excluded_share: (p,) of the gross value, left out; NaN: nothing is held.
        observations: horizon -> (p,) returns that count.
        first_day: (p,) day number of the first of them; 0: none.
        estimates: (horizon, confidence, method) -> estimate.
        problems: (horizon, confidence) -> (p,) code of why nothing can be said; empty: something can.
        moments: of the daily gains.
        shares: of the holdings.
        contributions: (horizon, confidence) -> parts of the parametric VaR.
    """

    net: Floats
    excluded_share: Floats
    observations: dict[int, Integers]
    first_day: Integers
    estimates: dict[tuple[int, float, str], Estimate]
    problems: dict[tuple[int, float], Texts]
    moments: Moments
    shares: Shares
    contributions: dict[tuple[int, float], Contributions]


def measure(holdings: Holdings, found: Gains, seeds: Sequence[int]) -> Measured:
    """Every measure of every portfolio.

    Args:
        holdings: what is held.
        found: its gains on one calendar.
        seeds: (p,) of the generators of Monte Carlo.
    """
    from scipy.special import ndtri

    gross = holdings.sums(np.abs(holdings.values))
    left_out = holdings.sums(np.where(found.included, 0.0, np.abs(holdings.values)))
    with np.errstate(divide="ignore", invalid="ignore"):
        excluded_share = np.where(gross > 0, left_out / gross, np.nan)
    known = {horizon: np.isfinite(values) for horizon, values in found.gains.items()}
    observations = {horizon: values.sum(axis=1) for horizon, values in known.items()}
    daily = moments(found.gains[1])
    own = shares(holdings, found, daily)
    simulated = draws(daily, seeds)
    estimates, problems, parts = {}, {}, {}
    for horizon in HORIZONS:
        for confidence in CONFIDENCES:
            at = (horizon, confidence)
            problems[at] = _problems(gross, excluded_share, observations[horizon], MIN_OBSERVATIONS[confidence])
            estimates[*at, "historical"] = historical(found.gains[horizon], confidence, horizon)
            estimates[*at, "parametric"] = parametric(daily, confidence, horizon)
            estimates[*at, "monte_carlo"] = monte_carlo(simulated, daily, confidence, horizon)
            estimates[*at, "cornish_fisher"] = cornish_fisher(daily, confidence, horizon)
            parts[at] = contributions(holdings, own, daily, -float(ndtri(1.0 - confidence)), horizon)
    return Measured(
        net=holdings.sums(holdings.values),
        excluded_share=excluded_share,
        observations=observations,
        first_day=np.where(observations[1] > 0, found.days[np.argmax(known[1], axis=1)], 0),
        estimates=estimates,
        problems=problems,
        moments=daily,
        shares=own,
        contributions=parts,
    )


def _problems(gross: Floats, excluded_share: Floats, observations: Integers, fewest: int) -> Texts:
    return np.select(
        [gross == 0, excluded_share > MAX_EXCLUDED_SHARE, observations < fewest],
        [reasons.NO_PRICED_HOLDING, reasons.EXCLUDED_SHARE, reasons.TOO_FEW_OBSERVATIONS],
        default="",
    )
