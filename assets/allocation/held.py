"""The weights held now and the value traded a day, as shares of what target weights are shares of.

Belongs here: arithmetic on the values of positions. Must not be here: SQL, trades (rebalancing).
"""

from collections.abc import Collection, Iterable, Mapping
from decimal import Decimal

from assets.rebalancing.model import CASH_PREFIX, Holding


def current_weights(holdings: Iterable[Holding], kept: Collection[str] = ()) -> dict[str, float]:
    """Weight of each held instrument of known, positive value; cash has none, and counts in what they are shares of.

    Args:
        holdings: one per instrument, cash included.
        kept: held instruments that the targets know nothing of (`left_out` of rebalancing): they are out of both.
    """
    values = _values(holdings, kept)
    total = sum(values.values(), Decimal(0))
    return {name: float(value / total) for name, value in values.items() if not name.startswith(CASH_PREFIX)}


def liquidity(
    traded_base: Mapping[str, float], holdings: Iterable[Holding], kept: Collection[str] = ()
) -> dict[str, float]:
    """Value traded a day (`traded_base`, in base currency) as shares of the same sum; empty where that is nothing."""
    total = float(sum(_values(holdings, kept).values(), Decimal(0)))
    return {name: value / total for name, value in traded_base.items()} if total > 0 else {}


def _values(holdings: Iterable[Holding], kept: Collection[str]) -> dict[str, Decimal]:
    return {
        holding.instrument_id: holding.value_base
        for holding in holdings
        if holding.value_base is not None and holding.value_base > 0 and holding.instrument_id not in kept
    }
