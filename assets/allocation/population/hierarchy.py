"""Hierarchical risk parity of a whole population of portfolios over one universe.

Belongs here: shapes, checks, statuses. Must not be here: the method (hierarchy_kernel), limits on weights (HRP knows
none; assets.allocation.objectives projects on them), SQL, labels.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from assets.allocation.population import hierarchy_kernel
from assets.allocation.population.shapes import Floats, Integers, require_population, spread
from assets.performance.compiled import kernel

STATUSES = np.array(["optimal", "empty", "not_finite", "zero_variance"], dtype="U32")


@dataclass(frozen=True)
class Parities:
    """HRP weights of a population.

    Attributes:
        weights: as the members that were passed; NaN where the status is not `optimal`.
        status: (portfolios,) `optimal`, `empty`, `not_finite` or `zero_variance` (of an asset: no correlation).
    """

    weights: Floats
    status: NDArray[np.str_]


def hierarchical_risk_parity(
    covariance: Floats, offsets: Integers, members: Integers, *, kept: ArrayLike = 1.0, added: ArrayLike = 0.0
) -> Parities:
    """HRP weights of each portfolio over its own part of the universe, PyPortfolioOpt's variant.

    Args:
        covariance: (N, N) symmetric. NaN or infinity refuses the portfolios that hold such a pair.
        offsets: (portfolios + 1,) members of portfolio j are members[offsets[j]:offsets[j + 1]].
        members: positions in the universe. Ties between distances fall by their order, as in PyPortfolioOpt.
        kept: the portfolio's own covariance is kept x covariance + added x identity, one for all or one each.
        added: likewise.

    Returns:
        Weights >= 0 that sum to 1 within rounding.

    Raises:
        ValueError: arrays that do not fit together, a member outside the universe, an asymmetric covariance.
    """
    covariance, offsets, members = require_population(covariance, offsets, members)
    weights = np.empty(len(members))
    statuses = np.empty(len(offsets) - 1, dtype=np.int64)
    steps = int((np.diff(offsets) ** 2).sum())
    kernel(hierarchy_kernel.allocate_population, steps)(
        covariance,
        offsets,
        members,
        spread(kept, len(statuses)),
        spread(added, len(statuses)),
        weights,
        statuses,
    )
    return Parities(weights, STATUSES[statuses])
