"""Whole lots for weights: greedy, as PyPortfolioOpt's DiscreteAllocation does it.

Belongs here: lots and what money is left. Must not be here: what a lot is (loading), where the money comes from.
"""

from collections.abc import Sequence
from decimal import ROUND_DOWN, Decimal


def floor_to_lot(quantity: Decimal, lot: Decimal | None) -> Decimal:
    """The largest multiple of `lot` that is not above a quantity >= 0; the quantity itself where any will do."""
    return quantity if lot is None else (quantity / lot).to_integral_value(ROUND_DOWN) * lot


def greedy_lots(wanted: Sequence[Decimal], prices: Sequence[Decimal], funds: Decimal) -> tuple[list[int], Decimal]:
    """How many lots of each to buy with `funds`, and what is left.

    First as many as fit below what is wanted; then one lot after the other of what lags its share most, among those
    that the rest pays for, while something lags. After PyPortfolioOpt, `DiscreteAllocation.greedy_portfolio`; of equal
    lags the larger share comes first, then the first.

    Args:
        wanted: (n,) money for each, > 0.
        prices: (n,) of one lot, > 0.
        funds: at least the sum of what the floors cost.
    """
    total = sum(wanted, Decimal(0))
    counts = [int(money // price) for money, price in zip(wanted, prices, strict=True)]
    left = funds - sum((count * price for count, price in zip(counts, prices, strict=True)), Decimal(0))
    while True:
        spent = sum((count * price for count, price in zip(counts, prices, strict=True)), Decimal(0))
        lags = [
            (money / total - (count * price / spent if spent else 0), money, -i)
            for i, (money, price, count) in enumerate(zip(wanted, prices, counts, strict=True))
            if price <= left
        ]
        if not lags or max(lags)[0] <= 0:
            return counts, left
        index = -max(lags)[2]
        counts[index] += 1
        left -= prices[index]
