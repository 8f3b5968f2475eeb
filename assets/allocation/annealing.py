"""Quantum-inspired selection: k of n instruments by annealing a QUBO, on an ordinary computer.

Belongs here: the quadratic form over bits and the search for its minimum. Must not be here: the exact search that it is
compared with (selection), the weights of what it selects.

Equal weights on k instruments, x in {0, 1}^n, have the energy  d x'Cx / (2 k^2) - m'x / k,  to which P (sum(x) - k)^2
is added: a quadratic unconstrained binary optimisation, the form that annealing machines take. It is minimised by
parallel tempering (Swendsen and Wang 1986): copies at a ladder of temperatures flip single bits by Metropolis' rule and
neighbours are exchanged. The generator is seeded by the labels and k, so that a run repeats it.
"""

import zlib
from collections.abc import Sequence

import numpy as np

from assets.allocation.model import BoolArray, FloatArray

REPLICAS = 12
SWEEPS = 200
# temperatures from the size of the penalty, where all is possible, to where next to nothing is
_COLDEST = 1e-4


def anneal_selection(
    labels: Sequence[str], expected_returns: FloatArray, covariance: FloatArray, count: int
) -> BoolArray:
    """(n,) bool: the `count` instruments of least energy that were seen.

    Args:
        labels: for the seed.
        expected_returns: (n,) above the risk-free rate; zeros where the objective is risk alone.
        covariance: (n, n).
        count: how many to select, at most n.
    """
    size = len(labels)
    if count >= size:
        return np.ones(size, dtype=bool)
    quadratic, linear = qubo(expected_returns, covariance, count)
    random = np.random.default_rng(zlib.crc32("\n".join([*labels, str(count)]).encode()))
    # the k of least diagonal are a first selection, which the search can only improve
    best = np.zeros(size)
    best[np.argsort(linear + np.diag(quadratic), kind="stable")[:count]] = 1.0
    least = float(best @ quadratic @ best + linear @ best)
    bits = np.tile(best, (REPLICAS, 1))
    field = 2.0 * bits @ quadratic  # of the symmetric form without its diagonal, kept up to date
    diagonal = np.diag(quadratic).copy()
    field -= 2.0 * bits * diagonal
    energies = np.full(REPLICAS, least)
    temperatures = np.geomspace(_COLDEST, 1.0, REPLICAS) * float(np.abs(diagonal + linear).max())
    for _ in range(SWEEPS):
        for i in random.permutation(size):
            change = (1.0 - 2.0 * bits[:, i]) * (field[:, i] + diagonal[i] + linear[i])
            accepted = np.log(random.random(REPLICAS)) < -change / temperatures
            flip = np.where(accepted, 1.0 - 2.0 * bits[:, i], 0.0)
            bits[:, i] += flip
            energies += np.where(accepted, change, 0.0)
            moved = np.outer(flip, 2.0 * quadratic[i])
            moved[:, i] = 0.0
            field += moved
            found = int(np.where(bits.sum(axis=1) == count, energies, np.inf).argmin())
            if bits[found].sum() == count and energies[found] < least:
                least, best = float(energies[found]), bits[found].copy()
        _exchange(bits, field, energies, temperatures, random)
    return best > 0.5


def qubo(expected_returns: FloatArray, covariance: FloatArray, count: int) -> tuple[FloatArray, FloatArray]:
    """Symmetric matrix (n, n) and linear terms (n,) of the energy, penalty included but for its constant.

    The aversion d is the one for which an equal weight of all would be the best size of a risky position, its excess
    return over its variance, or 1 where no return is asked for. The penalty of one instrument too many or too few is
    above what any single one can gain.
    """
    size = len(expected_returns)
    mean_return, mean_variance = float(expected_returns.mean()), float(covariance.mean())
    aversion = mean_return / mean_variance if mean_return > 0 and mean_variance > 0 else 1.0
    energy = aversion * covariance / (2.0 * count**2)
    gains = expected_returns / count
    penalty = float(np.abs(gains).max() + 2.0 * np.abs(energy).sum(axis=1).max())
    return energy + penalty * np.ones((size, size)), -gains - 2.0 * penalty * count * np.ones(size)


def _exchange(
    bits: FloatArray, field: FloatArray, energies: FloatArray, temperatures: FloatArray, random: np.random.Generator
) -> None:
    """Swap neighbours on the ladder with the probability that keeps each temperature's distribution."""
    for cold in range(REPLICAS - 1):
        hot = cold + 1
        drive = (energies[cold] - energies[hot]) * (1.0 / temperatures[cold] - 1.0 / temperatures[hot])
        if np.log(random.random()) < drive:
            pair, other = [cold, hot], [hot, cold]
            bits[pair], field[pair], energies[pair] = bits[other], field[other], energies[other]
