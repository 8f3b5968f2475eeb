"""Correlations and slopes of pairs of series that do not trade on the same days.

Belongs here: shapes, thresholds, from sums to measures. Must not be here: the loops (pairs_kernel), SQL, regimes.

A pair counts on the days on which both were seen, and a return reaches from one such day to the next: beside a share
that rests at the weekend, a coin's return of Monday is that since Friday's close. Two series of returns by calendar
days would set the share's 0 against the coin's weekend and call them unrelated.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from assets.correlation import pairs_kernel
from assets.correlation.model import (
    LONGEST_GAP,
    STANDS_STILL,
    TOO_FEW_OBSERVATIONS,
    ZERO_DEVIATION,
    Floats,
    Integers,
    Levels,
    WindowCorrelations,
    fewest_observations,
)
from assets.performance.compiled import kernel


@dataclass(frozen=True)
class PairSums:
    """Of each pair over one window.

    Attributes:
        observations: (pairs,) returns.
        squares_first: (pairs,) squared deviations of the first one's returns.
        squares_second: (pairs,) of the second one's.
        products: (pairs,) of both.
        fewest: observations below which nothing is said.
    """

    observations: Integers
    squares_first: Floats
    squares_second: Floats
    products: Floats
    fewest: int

    def codes(self) -> NDArray[np.str_]:
        """(pairs,) why there is no correlation; empty where there is one."""
        least = ZERO_DEVIATION**2 * np.maximum(self.observations - 1, 1)
        still = (self.squares_first <= least) | (self.squares_second <= least)
        return np.where(self.observations < self.fewest, TOO_FEW_OBSERVATIONS, np.where(still, STANDS_STILL, ""))

    def correlations(self) -> Floats:
        """(pairs,) within [-1, 1]; NaN where undefined."""
        return self._where_defined(np.clip(self.products / np.sqrt(self.squares_first * self.squares_second), -1, 1))

    def slopes(self) -> Floats:
        """(pairs,) of the first one's returns on the second one's, by least squares; NaN where undefined."""
        return self._where_defined(self.products / self.squares_second)

    def _where_defined(self, values: Floats) -> Floats:
        return np.where(self.codes() == "", values, np.nan)


def sum_pairs(levels: Floats, first: Integers, second: Integers, window_days: int) -> PairSums:
    """The sums of pairs over the last `window_days` calendar days.

    Args:
        levels: (N, days) prices or indices of consecutive days, above 0; NaN: not seen.
        first: (pairs,) rows of `levels`.
        second: (pairs,) their partners.
        window_days: the first price is at most so many days before the last day.
    """
    counts = np.zeros(len(first), dtype=np.int64)
    sums = np.zeros((len(first), pairs_kernel.SUM_COLUMNS))
    begin = max(levels.shape[1] - window_days - 1, 0)
    steps = len(first) * (levels.shape[1] - begin)
    kernel(pairs_kernel.sum_pairs, steps)(levels, first, second, begin, LONGEST_GAP, counts, sums)
    return PairSums(
        observations=counts,
        squares_first=sums[:, pairs_kernel.SQUARES_FIRST],
        squares_second=sums[:, pairs_kernel.SQUARES_SECOND],
        products=sums[:, pairs_kernel.PRODUCTS],
        fewest=fewest_observations(window_days),
    )


def correlate(levels: Levels, window_days: int) -> WindowCorrelations:
    """All pairs of assets over one window; an asset beside itself gives its volatility."""
    size = len(levels.labels)
    first, second = np.triu_indices(size)
    sums = sum_pairs(levels.values, first, second, window_days)
    matrix, observations = np.full((size, size), np.nan), np.zeros((size, size), dtype=np.int64)
    with np.errstate(invalid="ignore", divide="ignore"):
        matrix[first, second] = matrix[second, first] = sums.correlations()
    observations[first, second] = observations[second, first] = sums.observations
    is_own = first == second
    variances = sums.squares_first[is_own] / np.maximum(sums.observations[is_own] - 1, 1)
    is_known = ~np.isnan(np.diag(matrix))
    np.fill_diagonal(matrix, np.where(is_known, 1.0, np.nan))
    volatilities = np.where(is_known, np.sqrt(variances * levels.periods_per_year), np.nan)
    return WindowCorrelations(window_days, matrix, volatilities, observations)


def undefined_codes(correlations: Floats, observations: Integers, window_days: int) -> NDArray[np.str_]:
    """Why correlations are NaN, as `PairSums.codes` has it; empty where they are defined."""
    reason = np.where(observations < fewest_observations(window_days), TOO_FEW_OBSERVATIONS, STANDS_STILL)
    return np.where(np.isnan(correlations), reason, "")
