"""HRP of populations against PyPortfolioOpt, ties included."""

import itertools

import numpy as np
import pandas as pd
import pytest
from pypfopt import HRPOpt

from assets.allocation.estimates import Estimates
from assets.allocation.model import FloatArray
from assets.allocation.population.hierarchy import hierarchical_risk_parity
from assets.performance import compiled


def theirs(covariance: FloatArray) -> FloatArray:
    found = HRPOpt(cov_matrix=pd.DataFrame(covariance)).optimize()
    return np.array([found[number] for number in range(len(covariance))])


def population(universe: int, sizes: list[int], seed: int = 2) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    members = np.concatenate([rng.choice(universe, size, replace=False) for size in sizes])
    return np.concatenate([[0], np.cumsum(sizes)]), members


def test_weights_are_those_of_pyportfolioopt_on_real_prices(published: Estimates) -> None:
    offsets, members = population(len(published.labels), [2, 3, 5, 8, 13, 17, 20, 20])
    found = hierarchical_risk_parity(published.covariance, offsets, members)
    for begin, end in itertools.pairwise(offsets):
        own = members[begin:end]
        assert found.weights[begin:end] == pytest.approx(theirs(published.covariance[np.ix_(own, own)]), abs=1e-9)


@pytest.mark.parametrize("decimals", [1, 2, 12])
def test_ties_fall_as_in_pyportfolioopt(decimals: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """50 assets whose correlations take few values, many of them equal; plain and compiled give the same bits."""
    rng = np.random.default_rng(decimals)
    loadings = rng.normal(1.0, 0.5, (80, 4))
    covariance = loadings @ loadings.T + np.diag(rng.uniform(0.5, 2.0, 80))
    deviation = np.sqrt(np.diag(covariance))
    covariance = np.round(covariance / np.outer(deviation, deviation), decimals) * np.outer(deviation, deviation)
    offsets, members = population(80, [50] * 5)
    monkeypatch.setattr(compiled, "WORTH_COMPILING", 10**12)
    plain = hierarchical_risk_parity(covariance, offsets, members)
    monkeypatch.setattr(compiled, "WORTH_COMPILING", 0)
    found = hierarchical_risk_parity(covariance, offsets, members)
    assert plain.weights.tobytes() == found.weights.tobytes()
    for begin, end in itertools.pairwise(offsets):
        own = members[begin:end]
        assert found.weights[begin:end] == pytest.approx(theirs(covariance[np.ix_(own, own)]), abs=1e-9)


def test_edges_have_a_typed_outcome() -> None:
    covariance = np.diag([0.04, 0.0, 0.01, 0.04])
    covariance[0, 3] = covariance[3, 0] = np.nan
    offsets = np.array([0, 1, 3, 5, 5, 7])
    members = np.array([0, 0, 2, 0, 1, 0, 3])
    found = hierarchical_risk_parity(covariance, offsets, members)
    assert found.status.tolist() == ["optimal", "optimal", "zero_variance", "empty", "not_finite"]
    assert found.weights[:3] == pytest.approx([1.0, 0.2, 0.8])
    assert np.isnan(found.weights[3:]).all()
