"""Whole lots against PyPortfolioOpt's own allocation."""

from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from pypfopt.discrete_allocation import DiscreteAllocation

from assets.rebalancing.discrete import floor_to_lot, greedy_lots


@pytest.mark.parametrize("seed", range(30))
def test_the_same_as_pyportfolioopt(seed: int) -> None:
    random = np.random.default_rng(seed)
    # above ten candidates that the rest cannot pay for, PyPortfolioOpt gives up
    count = int(random.integers(2, 9))
    names = [f"A{i}" for i in range(count)]
    weights = np.sort(random.dirichlet(np.ones(count)))[::-1]
    prices = np.round(random.uniform(5, 400, count), 2)
    total = float(np.round(random.uniform(2_000, 50_000), 2))
    oracle = DiscreteAllocation(dict(zip(names, weights, strict=True)), pd.Series(prices, names), total)
    bought, left = oracle.greedy_portfolio()

    wanted = [Decimal(repr(float(weight))) * Decimal(repr(total)) for weight in weights]
    counts, rest = greedy_lots(wanted, [Decimal(repr(float(price))) for price in prices], Decimal(repr(total)))
    assert {name: n for name, n in zip(names, counts, strict=True) if n} == bought
    assert float(rest) == pytest.approx(left)


def test_nothing_is_bought_when_no_lot_is_paid_for() -> None:
    assert greedy_lots([Decimal(30), Decimal(20)], [Decimal(60), Decimal(70)], Decimal(50)) == ([0, 0], Decimal(50))


def test_money_for_one_lot_of_two_goes_to_the_larger_share() -> None:
    assert greedy_lots([Decimal(30), Decimal(20)], [Decimal(40), Decimal(40)], Decimal(50)) == ([1, 0], Decimal(10))


@pytest.mark.parametrize(
    ("quantity", "lot", "floored"),
    [("2.9", "1", "2"), ("0.123456789", "1e-8", "0.12345678"), ("250", "100", "200"), ("0.3", None, "0.3")],
)
def test_quantities_are_rounded_down(quantity: str, lot: str | None, floored: str) -> None:
    assert floor_to_lot(Decimal(quantity), None if lot is None else Decimal(lot)) == Decimal(floored)
