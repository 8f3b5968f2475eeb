"""Confidence intervals of the Sharpe ratios of a whole population by a block bootstrap.

Belongs here: where blocks begin, how many there are, what interval they give. Must not be here: sums over blocks
(bootstrap_kernel), the ratio itself from estimates (assets.allocation.optimiser), SQL.

Daily returns hang together over some days (volatility comes in spells), so blocks of days are drawn and not days.
"""

import hashlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from assets.allocation.population import bootstrap_kernel
from assets.allocation.population.shapes import Floats, Integers, floats, integers
from assets.performance.compiled import kernel

RESAMPLES = 200
#: below it, blocks are too few to say anything
MIN_DAYS = 60
CONFIDENCE = 0.95
# portfolios at once: bounds the memory of the blocks' first days
_SLICE = 256


def sharpe_deviations(
    by_asset: Floats,
    offsets: Integers,
    members: Integers,
    weights: Floats,
    risk_free_rates: Floats,
    frequency: int,
    seeds: Sequence[str],
) -> Floats:
    """How far below and above its own Sharpe ratio the resampled ones of each portfolio lie, (portfolios, 2).

    The 2.5 % and 97.5 % quantiles of (resampled ratio - ratio of the days as they were), of weights restored every day:
    an interval for a ratio from any estimate of return and risk is that ratio + these two. Blocks are circular, of
    length t^(1/3) rounded up (the order that is best for a variance: Hall, Horowitz and Jing 1995).

    Args:
        by_asset: (N, t) simple returns.
        offsets: (portfolios + 1,) members of portfolio j are members[offsets[j]:offsets[j + 1]].
        members: positions in the universe.
        weights: as members.
        risk_free_rates: (portfolios,) a year.
        frequency: days a year.
        seeds: (portfolios,) what the generator of each is seeded from: the same text draws the same blocks.

    Returns:
        NaN where there are fewer than 60 days or the returns do not vary.
    """
    days, count = by_asset.shape[1], len(seeds)
    found = np.full((count, 2), np.nan)
    if days < MIN_DAYS:
        return found
    length = block_length(days)
    blocks = -(-days // length)
    tails = [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2]
    for begin in range(0, count, _SLICE):
        end = min(begin + _SLICE, count)
        starts = np.empty((end - begin, RESAMPLES, blocks), dtype=np.uint16)
        for own_starts, seed in zip(starts, seeds[begin:end], strict=True):
            own_starts[:] = _starts(seed, days, blocks)
        own = slice(offsets[begin], offsets[end])
        ratios = np.empty((end - begin, 1 + RESAMPLES))
        steps = (end - begin) * RESAMPLES * blocks + int(offsets[end] - offsets[begin]) * days
        kernel(bootstrap_kernel.fill_ratios, steps)(
            floats(by_asset),
            integers(offsets[begin : end + 1] - offsets[begin]),
            integers(members[own]),
            floats(weights[own]),
            starts,
            length,
            floats(risk_free_rates[begin:end] / frequency),
            float(frequency),
            ratios,
        )
        found[begin:end] = np.quantile(ratios[:, 1:] - ratios[:, :1], tails, axis=1).T
    return found


def block_length(days: int) -> int:
    """Days of a block: the cube root of all days, rounded up."""
    length: int = round(days ** (1 / 3))
    return length if length**3 >= days else length + 1


def resampled_days(seed: str, days: int) -> Integers:
    """(resamples, days) the days of each resample, in the order they were drawn."""
    length = block_length(days)
    starts = _starts(seed, days, -(-days // length))
    drawn = (starts[:, :, None] + np.arange(length)).reshape(len(starts), -1)[:, :days] % days
    return integers(drawn)


def _starts(seed: str, days: int, blocks: int) -> NDArray[np.uint16]:
    """(resamples, blocks) first days, the same for the same seed."""
    number = int.from_bytes(hashlib.sha256(seed.encode()).digest()[:16], "big")
    return np.random.default_rng(number).integers(0, days, (RESAMPLES, blocks), dtype=np.uint16)
