"""Correlations of a universe: the matrix of one window, and rolling ones of pairs.

Belongs here: shapes and checks, the matrix. Must not be here: the moving sums
(correlation_kernel), regimes, SQL, labels.
"""

import numpy as np
from numpy.typing import ArrayLike

from assets.allocation.population import correlation_kernel
from assets.allocation.population.shapes import Floats, floats, integers
from assets.performance.compiled import kernel


def correlation_matrix(returns: ArrayLike) -> Floats:
    """Pearson correlations of all columns.

    Args:
        returns: (days, N).

    Returns:
        (N, N) symmetric, within [-1, 1], 1 on the diagonal; NaN in the row and column of a series with a value that is
        not finite, without variance (deviation below 1e-12), or with one observation.

    Raises:
        ValueError: not a matrix, or no day.
    """
    values = np.asarray(returns, dtype=np.float64)
    if values.ndim != 2 or len(values) == 0:
        raise ValueError(f"returns {values.shape}, expected a matrix with one day at least")
    with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
        deviations = (values - values.mean(axis=0)).T
        lengths = np.sqrt(np.einsum("ij,ij->i", deviations, deviations))
        least = correlation_kernel.ZERO_DEVIATION * max(len(values) - 1, 1) ** 0.5
        is_defined = np.isfinite(lengths) & (lengths > least) & (len(values) > 1)
        scaled = np.where(is_defined[:, None], deviations / lengths[:, None], 0.0)
    matrix: Floats = scaled @ scaled.T  # numpy sees A A' and computes one half
    np.clip(matrix, -1.0, 1.0, out=matrix)
    np.fill_diagonal(matrix, 1.0)
    matrix[~is_defined, :] = np.nan
    matrix[:, ~is_defined] = np.nan
    return matrix


def rolling_correlations(returns: ArrayLike, first: ArrayLike, second: ArrayLike, window: int) -> Floats:
    """Pearson correlations of pairs over the last `window` days, for every day.

    Args:
        returns: (days, N).
        first: (pairs,) columns of `returns`.
        second: (pairs,) their partners.
        window: days, 2 or more.

    Returns:
        (pairs, days) within [-1, 1]; NaN before the window is full, where it holds a value that is not finite, and
        where a series does not move in it.

    Raises:
        ValueError: a window below 2, a column outside `returns`, pairs of unequal number.
    """
    by_asset = floats(np.asarray(returns, dtype=np.float64).T)
    left = integers(first)
    right = integers(second)
    if window < 2:
        raise ValueError(f"window {window}, expected 2 or more")
    if by_asset.ndim != 2 or left.shape != right.shape:
        raise ValueError(f"returns {by_asset.shape[::-1]} with {left.shape} and {right.shape} columns of pairs")
    both = np.concatenate([left, right])
    if len(both) and not (both.min() >= 0 and both.max() < len(by_asset)):
        raise ValueError(f"pairs name columns {both.min()} to {both.max()} of {len(by_asset)}")
    correlations = np.empty((len(left), by_asset.shape[1]))
    kernel(correlation_kernel.roll, correlations.size)(by_asset, left, right, int(window), correlations)
    return correlations
