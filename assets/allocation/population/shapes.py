"""What every population function asks of its arrays.

Belongs here: types, and the checks that a kernel cannot make. Must not be here: any arithmetic.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

# share of the largest entry by which a covariance may differ from its transpose
ASYMMETRY = 1e-12


def require_population(
    covariance: ArrayLike, offsets: ArrayLike, members: ArrayLike
) -> tuple[Floats, Integers, Integers]:
    """The arrays in the form that the kernels read.

    Raises:
        ValueError: they do not fit together, a member is outside the universe, the covariance is asymmetric.
    """
    matrix = floats(covariance)
    borders = integers(offsets)
    places = integers(members)
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise ValueError(f"covariance {matrix.shape}, expected a square")
    if len(borders) == 0 or borders[0] != 0 or borders[-1] != len(places) or (np.diff(borders) < 0).any():
        raise ValueError(f"offsets must rise from 0 to the {len(places)} members")
    if len(places) and not (places.min() >= 0 and places.max() < len(matrix)):
        raise ValueError(f"members {places.min()} to {places.max()} of a universe of {len(matrix)}")
    finite = np.where(np.isfinite(matrix), matrix, 0.0)
    if np.abs(finite - finite.T).max(initial=0.0) > ASYMMETRY * np.abs(finite).max(initial=0.0):
        raise ValueError("the covariance is not symmetric")
    return matrix, borders, places


def floats(values: ArrayLike) -> Floats:
    """Contiguous and writable: numba would compile a kernel anew for an array that is not."""
    return np.require(np.asarray(values, dtype=np.float64), requirements=["C", "W"])


def integers(values: ArrayLike) -> Integers:
    """Likewise."""
    return np.require(np.asarray(values, dtype=np.int64), requirements=["C", "W"])


def spread(values: ArrayLike, size: int) -> Floats:
    """(size,) numbers from one for all or one each."""
    return np.array(np.broadcast_to(np.asarray(values, dtype=np.float64), (size,)), order="C")
