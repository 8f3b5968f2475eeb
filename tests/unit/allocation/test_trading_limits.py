"""Turnover and trading costs: what is held now, and what a change of it may cost."""

from decimal import Decimal

import numpy as np
import pytest
from scipy.optimize import minimize

from assets.allocation.costs import TradingCosts, make_costs
from assets.allocation.estimates import Estimates, make_estimates
from assets.allocation.held import current_weights, liquidity
from assets.allocation.model import OBJECTIVES, AllocationPolicy, FloatArray, Turnover, View, make_constraints
from assets.allocation.optimiser import Outcome, optimise
from assets.allocation.relaxation import minimised
from assets.rebalancing.model import Holding

RATE = 0.02
CURRENT = {"a": 0.4, "b": 0.1, "d": 0.5}
SETTINGS: dict[str, dict[str, object]] = {
    "efficient_risk": {"target": 0.2},
    "efficient_return": {"target": 0.06},
    "black_litterman": {"views": (View("a", "b", 0.05, 0.7),)},
}


@pytest.fixture(scope="module")
def five() -> Estimates:
    random = np.random.default_rng(7)
    loadings = random.uniform(0.05, 0.25, 5)
    matrix = np.outer(loadings, loadings) + np.diag(random.uniform(0.01, 0.06, 5))
    means = np.array([0.05, 0.07, 0.12, 0.06, 0.14])
    returns = random.multivariate_normal(means / 252, matrix / 252, 150)
    return make_estimates(tuple("abcde"), means, matrix, returns, 252)


def run(
    estimates: Estimates,
    policy: AllocationPolicy,
    current: dict[str, float] | None,
    liquidity: dict[str, float] | None = None,
) -> Outcome:
    limits = make_constraints(policy, estimates.labels, {})
    return optimise(policy, estimates, limits, RATE, None, current, liquidity)


def held(estimates: Estimates, current: dict[str, float]) -> FloatArray:
    return np.array([current.get(label, 0.0) for label in estimates.labels])


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_keeps_the_turnover(five: Estimates, objective: str) -> None:
    policy = AllocationPolicy(objective, max_turnover=0.2, **SETTINGS.get(objective, {}))  # type: ignore[arg-type]
    outcome = run(five, policy, CURRENT)
    assert outcome.status == "optimal", outcome.reason
    assert outcome.weights is not None
    sold = np.maximum(held(five, CURRENT) - outcome.weights, 0).sum()
    assert sold <= 0.2 + 1e-6
    # it binds: what is held now is far from any of their optima
    assert sold == pytest.approx(0.2, abs=1e-5)


def test_turnover_is_the_optimum_of_its_definition(five: Estimates) -> None:
    # the same problem with purchases and sales as variables of their own, by another solver
    current = held(five, CURRENT)

    def volatility(x: FloatArray) -> float:
        weights = current + x[:5] - x[5:]
        return float(np.sqrt(weights @ five.covariance @ weights))

    best = minimize(
        volatility, np.full(10, 0.02), method="SLSQP", bounds=[(0, 1)] * 10, options={"ftol": 1e-14, "maxiter": 500},
        constraints=[
            {"type": "eq", "fun": lambda x: x[:5].sum() - x[5:].sum()},
            {"type": "ineq", "fun": lambda x: 0.25 - x[5:].sum()},
            {"type": "ineq", "fun": lambda x: current + x[:5] - x[5:]},
        ],
    )  # fmt: skip
    outcome = run(five, AllocationPolicy("min_volatility", max_turnover=0.25), CURRENT)
    assert outcome.figures is not None
    assert outcome.figures.volatility == pytest.approx(best.fun, abs=1e-7)


def test_cash_buys_without_a_sale_and_debt_is_repaid_without_turnover(five: Estimates) -> None:
    # 30 % of cash; nothing may be sold: purchases are exactly the buying power
    outcome = run(five, AllocationPolicy("max_sharpe", max_turnover=0.0), {"a": 0.4, "b": 0.3})
    assert outcome.weights is not None
    assert (outcome.weights - held(five, {"a": 0.4, "b": 0.3}) >= -1e-6).all()
    assert Turnover(np.array([0.7, 0.5]), 0.1).sold(np.array([0.5, 0.5])) == pytest.approx(0.0)
    assert Turnover(np.array([0.7, 0.5]), 0.1).sold(np.array([0.3, 0.7])) == pytest.approx(0.2)


def test_a_turnover_that_the_limits_exceed_fails_with_the_number(five: Estimates) -> None:
    outcome = run(five, AllocationPolicy("max_sharpe", max_weight=0.3, max_turnover=0.1), CURRENT)
    assert outcome.status == "failed"
    # 0.1 too much of a and 0.2 of d
    assert outcome.reason == "the limits need 0.3 of the portfolio sold, max_turnover is 0.1: raise it"
    # of 0.4, 0.1 and 0.5 two may stay
    fewer = run(five, AllocationPolicy("max_sharpe", max_assets=2, max_turnover=0.05), CURRENT)
    assert fewer.reason == "max_assets 2 needs 0.1 of the portfolio sold, max_turnover is 0.05: raise one"


def test_turnover_and_a_number_of_holdings_together(five: Estimates) -> None:
    policy = AllocationPolicy("min_volatility", max_turnover=0.3, min_assets=4, min_holding=0.15, max_weight=0.5)
    outcome = run(five, policy, CURRENT)
    assert outcome.status == "optimal", outcome.reason
    assert outcome.weights is not None
    assert (outcome.weights >= 0.15 - 1e-9).sum() >= 4
    assert np.maximum(held(five, CURRENT) - outcome.weights, 0).sum() <= 0.3 + 1e-6


@pytest.mark.parametrize("objective", ["max_sharpe", "efficient_risk", "efficient_return"])
def test_costs_are_the_optimum_of_their_definition(five: Estimates, objective: str) -> None:
    policy = AllocationPolicy(
        objective,
        cost_spread=0.01,
        cost_impact=0.8,
        **SETTINGS.get(objective, {}),  # type: ignore[arg-type]
    )
    liquidity = {"a": 2.0, "b": 0.5, "c": 0.5, "e": 8.0}
    outcome = run(five, policy, CURRENT, liquidity)
    assert outcome.status == "optimal", outcome.reason
    assert outcome.weights is not None
    assert outcome.notes == ("impact left out, value traded a day unknown: d",)
    assert outcome.kkt_residual is not None
    assert outcome.kkt_residual < 1e-4
    costs, _ = make_costs(policy, five, CURRENT, liquidity)
    assert costs is not None
    value = minimised(policy, five, RATE, costs, outcome.weights)
    # no admissible mix of the optimum with any portfolio of a fine random grid does better
    random = np.random.default_rng(1)
    for weights in random.dirichlet(np.full(5, 0.5), 4000):
        for step in (1e-3, 0.05, 1.0):
            mixed = (1 - step) * outcome.weights + step * weights
            volatility = float(np.sqrt(mixed @ five.covariance @ mixed))
            if objective == "efficient_risk" and volatility > 0.2:
                continue
            if objective == "efficient_return" and mixed @ five.expected_returns - costs.of(mixed) < 0.06:
                continue
            assert minimised(policy, five, RATE, costs, mixed) >= value - 1e-7


def test_cost_of_a_change_by_hand(five: Estimates) -> None:
    costs = TradingCosts(np.array([0.5, 0.5]), 0.002, np.array([0.1, 0.0]))
    # 0.002 x (0.04 + 0.04) + 0.1 x 0.04^1.5 = 0.00016 + 0.0008
    assert costs.of(np.array([0.54, 0.46])) == pytest.approx(0.00096)
    slope, kinks = costs.gradient(np.array([0.54, 0.5]))
    np.testing.assert_allclose(slope, [0.002 + 1.5 * 0.1 * 0.2, 0.0])
    np.testing.assert_allclose(kinks, [0.0, 0.002])


def test_a_change_that_is_not_worth_its_cost_is_not_made(five: Estimates) -> None:
    free = run(five, AllocationPolicy("max_sharpe"), None)
    assert free.weights is not None
    near = free.weights + np.array([0.0, 0.0, 0.01, 0.0, -0.01])
    current = dict(zip(five.labels, near.tolist(), strict=True))
    outcome = run(five, AllocationPolicy("max_sharpe", cost_spread=0.01), current)
    assert outcome.status == "optimal", outcome.reason
    np.testing.assert_allclose(outcome.weights, near, atol=1e-6)
    # all sit at the kink of the cost or at 0, and the proof knows it
    assert outcome.kkt_residual == pytest.approx(0.0, abs=1e-6)


def test_current_weights_are_shares_of_what_targets_are_shares_of() -> None:
    def holding(name: str, value: str | None, quantity: str = "1") -> Holding:
        return Holding(name, Decimal(quantity), None if value is None else Decimal(value))

    holdings = [
        holding("crypto:BTC", "300"), holding("crypto:ETH", "100"), holding("fiat:USD", "100"),
        holding("custom:kept", "500"), holding("crypto:NONE", None), holding("crypto:SHORT", "-50", "-1"),
    ]  # fmt: skip
    assert current_weights(holdings, {"custom:kept": "no price"}) == {"crypto:BTC": 0.6, "crypto:ETH": 0.2}
    assert current_weights([]) == {}
    # 100 a day of BTC beside a portfolio of 500 that may be traded
    assert liquidity({"crypto:BTC": 100.0}, holdings, {"custom:kept"}) == {"crypto:BTC": 0.2}
    assert liquidity({"crypto:BTC": 100.0}, []) == {}
