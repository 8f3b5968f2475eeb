"""Risk parity, HERC and maximum diversification against other libraries, closed forms and their own conditions."""

import csv
from pathlib import Path

import numpy as np
import pytest

from assets.allocation.estimates import Estimates, make_estimates
from assets.allocation.hierarchical import cluster_count, herc_weights
from assets.allocation.model import AllocationPolicy, FloatArray, GroupLimit, UnsolvedError, make_constraints
from assets.allocation.optimiser import Outcome, optimise
from assets.allocation.risk_parity import contributions, equal_contributions

DATA = Path(__file__).parents[2] / "data"


@pytest.fixture(scope="module")
def ten_stocks() -> Estimates:
    """AMZN APA CMCSA CPB JCI JPM MMC MO TGT ZION (see tests/data/riskfolio/README.md)."""
    with (DATA / "riskfolio" / "covariance_200_days.csv").open() as file:
        rows = list(csv.reader(file))
    matrix = np.array([[float(cell) for cell in row[1:]] for row in rows[1:]])
    return make_estimates(tuple(rows[0][1:]), np.full(10, 0.1), matrix * 252, np.zeros((200, 10)), 252)


def run(
    estimates: Estimates, policy: AllocationPolicy, attributes: dict[str, dict[str, str | None]] | None = None
) -> Outcome:
    outcome = optimise(policy, estimates, make_constraints(policy, estimates.labels, attributes or {}))
    assert outcome.status == "optimal", outcome.reason
    return outcome


def alike(deviations: list[float], correlation: float) -> FloatArray:
    spread = np.array(deviations)
    matrix: FloatArray = np.outer(spread, spread) * (correlation + (1 - correlation) * np.eye(len(spread)))
    return matrix


def test_risk_parity_of_riskfolio_and_skfolio(ten_stocks: Estimates) -> None:
    # Riskfolio-Lib 7.4.0, Portfolio.rp_optimization(rm="MV"), and skfolio 1.12.2, RiskBudgeting(VARIANCE), on these
    # returns: they agree with each other to 5e-6
    outcome = run(ten_stocks, AllocationPolicy("risk_parity"))
    expected = [
        0.104457994, 0.044958648, 0.118784527, 0.141291251, 0.115505921,
        0.088792758, 0.119940209, 0.111504213, 0.078720417, 0.076044062,
    ]  # fmt: skip
    np.testing.assert_allclose(outcome.weights, expected, atol=3e-6)
    np.testing.assert_allclose(contributions(outcome.weights, ten_stocks.covariance), 0.1, atol=1e-9)
    assert outcome.kkt_residual < 1e-9


def test_risk_parity_within_bounds_is_skfolios(ten_stocks: Estimates) -> None:
    # skfolio 1.12.2, RiskBudgeting(VARIANCE, min_weights=0.08, max_weights=0.12)
    outcome = run(ten_stocks, AllocationPolicy("risk_parity", min_weight=0.08, max_weight=0.12))
    expected = [
        0.101013681, 0.08, 0.115358272, 0.12, 0.110122066, 0.08581324, 0.117143682, 0.110549058, 0.08, 0.08,
    ]  # fmt: skip
    np.testing.assert_allclose(outcome.weights, expected, atol=2e-6)
    assert outcome.kkt_residual < 1e-5


def test_risk_parity_within_groups_is_proven_by_its_conditions(ten_stocks: Estimates) -> None:
    policy = AllocationPolicy("risk_parity", group_limits=(GroupLimit("category", "bank", 0.3, 1),))
    outcome = run(ten_stocks, policy, {name: {"category": "bank"} for name in ("JPM", "ZION")})
    assert outcome.kkt_residual < 1e-5
    shares = contributions(outcome.weights, ten_stocks.covariance)
    is_bank = np.isin(ten_stocks.labels, ["JPM", "ZION"])
    assert outcome.weights[is_bank].sum() == pytest.approx(0.3, abs=1e-6)
    assert shares[is_bank].min() > 0.1 > shares[~is_bank].max()


def test_risk_parity_has_its_closed_forms() -> None:
    # two assets, whatever their correlation, and any number of one correlation: as 1 / volatility
    np.testing.assert_allclose(equal_contributions(alike([0.1, 0.3], -0.6)), [0.75, 0.25], atol=1e-12)
    inverse = 1 / np.array([0.1, 0.2, 0.4])
    np.testing.assert_allclose(equal_contributions(alike([0.1, 0.2, 0.4], 0.7)), inverse / inverse.sum(), atol=1e-12)


def test_risk_parity_of_a_perfect_hedge_is_refused() -> None:
    with pytest.raises(UnsolvedError, match="risk_parity"):
        equal_contributions(alike([0.1, 0.1], -1.0))


def test_herc_of_riskfolio(ten_stocks: Estimates) -> None:
    # Riskfolio-Lib 7.4.0, HCPortfolio.optimization(model="HERC", rm="MV", linkage="ward", k=...)
    riskfolio = {
        2: [
            0.087799451, 0.012478222, 0.108739785, 0.17921193, 0.105678879,
            0.09363101, 0.143009582, 0.152287999, 0.067044449, 0.050118692,
        ],
        5: [
            0.128378364, 0.015612091, 0.158996845, 0.052392341, 0.13221982,
            0.117146165, 0.209105365, 0.04452117, 0.078921984, 0.062705855,
        ],
    }  # fmt: skip
    for clusters, expected in riskfolio.items():
        np.testing.assert_allclose(herc_weights(ten_stocks.covariance, clusters), expected, atol=1e-8)
    # skfolio 1.12.2, compute_optimal_n_clusters: 5
    np.testing.assert_allclose(run(ten_stocks, AllocationPolicy("herc")).weights, riskfolio[5], atol=1e-8)
    limited = run(ten_stocks, AllocationPolicy("herc", max_weight=0.15))
    assert limited.solver == "HERC+CLARABEL"
    assert limited.weights.max() <= 0.15 + 1e-9


def test_number_of_clusters_is_skfolios(published: Estimates) -> None:
    # skfolio 1.12.2, compute_optimal_n_clusters of the covariance of PyPortfolioOpt's 20 stocks: 4
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    deviations = np.sqrt(np.diag(published.covariance))
    distance = np.sqrt(np.clip((1 - published.covariance / np.outer(deviations, deviations)) / 2, 0, 1))
    np.fill_diagonal(distance, 0)
    assert cluster_count(distance, linkage(squareform(distance, checks=False), "ward")) == 4


def test_herc_by_hand() -> None:
    # two pairs, uncorrelated between them: each pair is a cluster of equal halves, variances (1 + 0.9) / 2 of 0.01 and
    # of 0.04: 0.0095 and 0.038, so the first gets 0.038 / 0.0475 = 0.8
    matrix = np.kron(np.diag([0.01, 0.04]), np.array([[1.0, 0.9], [0.9, 1.0]]))
    np.testing.assert_allclose(herc_weights(matrix, 2), [0.4, 0.4, 0.1, 0.1], atol=1e-12)


def test_maximum_diversification_of_skfolio(ten_stocks: Estimates) -> None:
    # skfolio 1.12.2, MaximumDiversification(max_weights=0.15)
    outcome = run(ten_stocks, AllocationPolicy("max_diversification", max_weight=0.15))
    expected = [
        0.111561225, 0.06331019, 0.149999969, 0.149999997, 0.126246817,
        0.0, 0.043607257, 0.149999986, 0.126820088, 0.078454464,
    ]  # fmt: skip
    np.testing.assert_allclose(outcome.weights, expected, atol=1e-6)
    assert outcome.kkt_residual < 1e-5
    # the figures are those of the expected returns, not of the volatilities that stood in for them
    assert outcome.figures.expected_return == pytest.approx(0.1)


def test_maximum_diversification_has_its_closed_form() -> None:
    # of equal correlation: as 1 / volatility (Choueifaty and Coignard 2008)
    estimates = make_estimates(("a", "b"), np.full(2, 0.1), alike([0.1, 0.3], 0.5), np.zeros((30, 2)), 252)
    np.testing.assert_allclose(run(estimates, AllocationPolicy("max_diversification")).weights, [0.75, 0.25], atol=1e-7)
