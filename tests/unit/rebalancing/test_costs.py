"""Costs by hand, and the measured spread against simulated quotes."""

from decimal import Decimal

import numpy as np
import pytest

from assets.rebalancing.costs import MIN_DAYS, spread_of_bars, trading_cost
from assets.rebalancing.model import Terms


def bars(spread: float, days: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Days of 390 trades at bid or ask around a random walk of 1 % a day, as Abdi and Ranaldo simulate them."""
    random = np.random.default_rng(seed)
    middle = np.cumsum(random.normal(0, 0.01 / np.sqrt(390), days * 390)).reshape(days, 390)
    traded = np.exp(middle + spread / 2 * random.choice([-1, 1], middle.shape))
    return traded.max(axis=1), traded.min(axis=1), traded[:, -1]


def test_a_wide_spread_is_measured() -> None:
    found = [spread_of_bars(*bars(0.03, 60, seed)) for seed in range(40)]
    measured = [spread for spread in found if spread is not None]
    assert len(measured) > 30
    assert float(np.mean(measured)) == pytest.approx(0.03, rel=0.1)


def test_a_narrow_one_is_noise_and_not_told() -> None:
    found = [spread_of_bars(*bars(0.0005, 60, seed)) for seed in range(40)]
    assert sum(spread is not None for spread in found) <= 3


def test_few_days_tell_nothing() -> None:
    high, low, close = bars(0.03, MIN_DAYS - 1, 1)
    assert spread_of_bars(high, low, close) is None


def test_four_days_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("assets.rebalancing.costs.MIN_DAYS", 3)
    # middles at 1, closes at +1 %, -1 %, whatever: both products are 0.01^2, so s = 2 x 0.01
    logs = np.array([0.01, -0.01, 0.0])
    close = np.exp(logs)
    high, low = np.exp(np.full(3, 0.02)), np.exp(np.full(3, -0.02))
    assert spread_of_bars(high, low, close) == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("terms", "total", "method"),
    [
        (Terms(), None, "spread unknown; impact unknown: no volume"),
        (Terms(spread=0.001), 0.0005, "spread class default; impact unknown: no volume"),
        (Terms(None, 0.001, True, 0.02, 400.0), 0.0025, "spread measured; impact square root"),
    ],
)
def test_cost_of_four_units(terms: Terms, total: float | None, method: str) -> None:
    cost = trading_cost(Decimal(4), terms)
    assert cost.total == (None if total is None else pytest.approx(total))  # impact: 0.02 x sqrt(4 / 400)
    assert cost.method == method
