"""Whether weights of a whole population keep their limits, asked of the weights alone.

Belongs here: the same questions as assets.allocation.verify asks of one portfolio, of all at once. Must not be here:
how weights are found, whether they are an optimum (the solver's kernel proves that from its conditions).
"""

import numpy as np
from numpy.typing import NDArray

from assets.allocation.population.optimum import GroupLimits
from assets.allocation.population.shapes import Floats, Integers

SUM_TOLERANCE = 1e-6
BOUND_TOLERANCE = 1e-6


def keep_limits(
    weights: Floats,
    offsets: Integers,
    members: Integers,
    lower: Floats,
    upper: Floats,
    groups: GroupLimits | None,
    min_assets: Integers,
    holding: Floats,
) -> NDArray[np.bool_]:
    """(portfolios,) whether the weights are finite, sum to 1, keep bounds and groups, and are enough holdings.

    Args:
        weights: as members; a NaN is a broken limit, never a pass.
        offsets: (portfolios + 1,) of portfolios with one member at least.
        members: positions in the universe.
        lower: as members.
        upper: as members.
        groups: over the universe.
        min_assets: (portfolios,) weights of at least `holding`.
        holding: (portfolios,) the least weight of a holding.
    """
    starts = offsets[:-1]
    is_kept = (weights >= lower - BOUND_TOLERANCE) & (weights <= upper + BOUND_TOLERANCE)
    is_kept &= weights >= -BOUND_TOLERANCE
    result = np.logical_and.reduceat(is_kept, starts)
    result &= np.abs(np.add.reduceat(weights, starts) - 1.0) <= SUM_TOLERANCE
    least_holding = np.repeat(holding, np.diff(offsets)) - BOUND_TOLERANCE
    result &= np.add.reduceat((weights >= least_holding).astype(np.int64), starts) >= min_assets
    if groups is not None:
        for row, least, most in zip(groups.rows, groups.least, groups.most, strict=True):
            held = np.add.reduceat(row[members] * weights, starts)
            result &= (held >= least - BOUND_TOLERANCE) & (held <= most + BOUND_TOLERANCE)
    return np.asarray(result, dtype=np.bool_)
