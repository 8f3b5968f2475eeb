"""The certainty equivalent of being at the target."""

import numpy as np
import pytest

from assets.rebalancing.worth import RISK_AVERSION, expected_gains, shared_gains


def test_two_assets_by_hand() -> None:
    covariance = np.array([[0.04, 0.01], [0.01, 0.09]])
    before, after = np.array([0.1, -0.1]), np.zeros(2)
    # 2.5 / 2 x (0.1 x (0.1 x 0.04 - 0.1 x 0.01), -0.1 x (0.1 x 0.01 - 0.1 x 0.09))
    assert expected_gains(covariance, before, after) == pytest.approx([0.000375, 0.001])


def test_the_parts_add_up_to_what_the_objective_wins_from_any_return() -> None:
    random = np.random.default_rng(5)
    root = random.normal(size=(6, 6))
    covariance = root @ root.T / 10
    expected = random.normal(0.05, 0.1, 6)
    best = np.linalg.solve(RISK_AVERSION * covariance, expected)
    before, after = random.normal(size=6), random.normal(size=6)

    def utility(weights: np.ndarray) -> float:
        return float(weights @ expected - RISK_AVERSION / 2 * weights @ covariance @ weights)

    gained = utility(best + after) - utility(best + before)
    assert expected_gains(covariance, before, after).sum() == pytest.approx(gained)


def test_what_does_not_move_wins_nothing() -> None:
    gains = expected_gains(np.diag([0.04, 0.09]), np.array([0.1, 0.2]), np.array([0.1, 0.0]))
    assert gains[0] == 0
    assert gains[1] == pytest.approx(1.25 * 0.2 * 0.09 * 0.2)


def test_sales_and_purchases_share_the_surplus_of_the_money_that_moves_between_them() -> None:
    # 0.2 sold, 0.1 bought: half of the sale pays for the purchase, which has 0.5 left a unit, the sale -0.1
    gains, moved, costs = np.array([-0.01, 0.06, 0.0]), np.array([-0.2, 0.1, 0.0]), np.array([0.01, 0.01, 0.0])
    # 0.1 x (0.5 + 0.1) / 2 goes over
    assert shared_gains(gains, moved, costs) == pytest.approx([0.02, 0.03, 0.0])


def test_without_both_sides_there_is_nothing_to_share() -> None:
    gains, moved = np.array([0.01, -0.02]), np.array([0.1, 0.2])
    assert shared_gains(gains, moved, np.zeros(2)) == pytest.approx(gains)
