"""Confidence intervals of the Sharpe ratios of a whole population by a block bootstrap.

Belongs here: where blocks begin, how many there are, what interval they give. Must not be here: sums over blocks
(bootstrap_kernel), the ratio itself from estimates (assets.allocation.optimiser), SQL.

Daily returns hang together over some days (volatility comes in spells), so blocks of days are drawn and not days.
"""

import numpy as np
from numpy.typing import NDArray

from assets.allocation.population import bootstrap_kernel
from assets.allocation.population.shapes import Floats, Integers, floats, integers
from assets.performance.compiled import kernel

RESAMPLES = 200
#: below it, blocks are too few to say anything
MIN_DAYS = 60
CONFIDENCE = 0.95


def sharpe_deviations(
    by_asset: Floats,
    offsets: Integers,
    members: Integers,
    weights: Floats,
    risk_free_rates: Floats,
    frequency: int,
) -> Floats:
    """How far below and above its own Sharpe ratio the resampled ones of each portfolio lie, (portfolios, 2).

    The 2.5 % and 97.5 % quantiles of (resampled ratio - ratio of the days as they were), of weights restored every day:
    an interval for a ratio from any estimate of return and risk is that ratio + these two. Blocks are circular, of
    length t^(1/3) rounded up (the order that is best for a variance: Hall, Horowitz and Jing 1995). All portfolios see
    the same resampled days: two of them differ by what they hold and not by what was drawn.

    Args:
        by_asset: (N, t) simple returns.
        offsets: (portfolios + 1,) members of portfolio j are members[offsets[j]:offsets[j + 1]].
        members: positions in the universe.
        weights: as members.
        risk_free_rates: (portfolios,) a year.
        frequency: days a year.

    Returns:
        NaN where there are fewer than 60 days or the returns do not vary.
    """
    days, count = by_asset.shape[1], len(offsets) - 1
    if days < MIN_DAYS:
        return np.full((count, 2), np.nan)
    length = block_length(days)
    starts = _starts(days, length)
    ratios = np.empty((count, 1 + RESAMPLES))
    kernel(bootstrap_kernel.fill_ratios, count * starts.size + len(members) * days)(
        floats(by_asset),
        integers(offsets),
        integers(members),
        floats(weights),
        starts,
        length,
        floats(risk_free_rates / frequency),
        float(frequency),
        ratios,
    )
    found: Floats = np.quantile(ratios[:, 1:] - ratios[:, :1], [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=1).T
    return found


def block_length(days: int) -> int:
    """Days of a block: the cube root of all days, rounded up."""
    length: int = round(days ** (1 / 3))
    return length if length**3 >= days else length + 1


def resampled_days(days: int) -> Integers:
    """(resamples, days) the days of each resample, in the order they were drawn; the same for as many days."""
    length = block_length(days)
    starts = _starts(days, length)
    drawn = (starts[:, :, None] + np.arange(length)).reshape(len(starts), -1)[:, :days] % days
    return integers(drawn)


def _starts(days: int, length: int) -> NDArray[np.uint16]:
    """(resamples, blocks) first days of blocks."""
    return np.random.default_rng(days).integers(0, days, (RESAMPLES, -(-days // length)), dtype=np.uint16)
