"""The weights held now, as shares of what target weights are shares of.

Belongs here: arithmetic on the values of positions. Must not be here: SQL, trades (rebalancing).
"""

from collections.abc import Collection, Iterable
from decimal import Decimal

from assets.rebalancing.model import CASH_PREFIX, Holding


def current_weights(holdings: Iterable[Holding], kept: Collection[str] = ()) -> dict[str, float]:
    """Weight of each held instrument of known, positive value; cash has none, and counts in what they are shares of.

    Args:
        holdings: one per instrument, cash included.
        kept: held instruments that the targets know nothing of (as in `suggest`): they are out of both.
    """
    values = {
        holding.instrument_id: holding.value_base
        for holding in holdings
        if holding.value_base is not None and holding.value_base > 0 and holding.instrument_id not in kept
    }
    total = sum(values.values(), Decimal(0))
    return {name: float(value / total) for name, value in values.items() if not name.startswith(CASH_PREFIX)}
