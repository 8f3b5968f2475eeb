"""Quantities for trades: in whole lots, and never more purchases than cash and sales pay for.

Belongs here: from what a trade should move to what is bought and sold. Must not be here: what is traded at all, costs.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal

from assets.rebalancing.discrete import floor_to_lot, greedy_lots
from assets.rebalancing.model import NO_TERMS, Terms

_QUANTUM = Decimal("1e-12")
_NOISE = Decimal("1e-9")
# Lots worth less than this share of a purchase are only rounded down: what they leave buys no lot of anything else.
_FINE = Decimal("1e-4")


@dataclass(frozen=True)
class Drift:
    """An instrument outside its band: `gap_base` is what should be bought, negative = sold, at `price_base` each."""

    instrument_id: str
    current: Decimal
    target: Decimal
    gap_base: Decimal
    price_base: Decimal
    held: Decimal = Decimal(0)
    is_exit: bool = False

    @property
    def is_sale(self) -> bool:
        """Whether it is sold."""
        return self.gap_base < 0


@dataclass(frozen=True)
class Trade:
    """What is to be traded of a drift: units >= 0; `share` of a purchase is what there is money for."""

    drift: Drift
    quantity: Decimal
    share: Decimal = Decimal(1)

    @property
    def moved_base(self) -> Decimal:
        """Value bought, negative = sold, in base currency."""
        value = self.quantity * self.drift.price_base
        return -value if self.drift.is_sale else value


def sized(
    drifts: Sequence[Drift], spare_cash: Decimal | None, terms: Mapping[str, Terms] = NO_TERMS
) -> tuple[Trade, ...]:
    """Trades in the order of `drifts`.

    Sales are rounded down to whole lots, an exit sells all. Their proceeds and the spare cash pay for purchases; where
    that is less than these need, all are scaled down alike.

    Args:
        drifts: what is to be traded, one per instrument.
        spare_cash: above its own target, base currency; None: purchases are paid from outside.
        terms: lots by instrument.
    """
    sales = {drift.instrument_id: _sale(drift, _lot(drift, terms)) for drift in drifts if drift.is_sale}
    purchases = [drift for drift in drifts if not drift.is_sale]
    needed = sum((drift.gap_base for drift in purchases), Decimal(0))
    share = Decimal(1)
    if spare_cash is not None and needed:
        available = max(spare_cash - sum((trade.moved_base for trade in sales.values()), Decimal(0)), Decimal(0))
        share = Decimal(1) if needed <= available * (1 + _NOISE) else available / needed
    trades = sales | _purchases(purchases, share, terms)
    return tuple(trades[drift.instrument_id] for drift in drifts)


def _sale(drift: Drift, lot: Decimal | None) -> Trade:
    if drift.is_exit:
        return Trade(drift, drift.held)
    quantity = (-drift.gap_base / drift.price_base).quantize(_QUANTUM, rounding=ROUND_DOWN)
    return Trade(drift, floor_to_lot(min(quantity, drift.held), lot))


def _purchases(purchases: Sequence[Drift], share: Decimal, terms: Mapping[str, Terms]) -> dict[str, Trade]:
    found: dict[str, Trade] = {}
    coarse: list[tuple[Drift, Decimal, Decimal]] = []
    for drift in purchases:
        money, lot = drift.gap_base * share, _lot(drift, terms)
        if lot is not None and lot * drift.price_base > money * _FINE and money > 0:
            coarse.append((drift, money, lot))
            continue
        quantity = (money / drift.price_base).quantize(_QUANTUM, rounding=ROUND_DOWN)
        found[drift.instrument_id] = Trade(drift, floor_to_lot(quantity, lot), share)
    # larger shares first, as their ties are decided
    coarse.sort(key=lambda one: (-one[1], one[0].instrument_id))
    if coarse:
        wanted = [money for _, money, _ in coarse]
        prices = [lot * drift.price_base for drift, _, lot in coarse]
        counts, _ = greedy_lots(wanted, prices, sum(wanted, Decimal(0)))
        found |= {
            drift.instrument_id: Trade(drift, count * lot, share)
            for (drift, _, lot), count in zip(coarse, counts, strict=True)
        }
    return found


def _lot(drift: Drift, terms: Mapping[str, Terms]) -> Decimal | None:
    return terms[drift.instrument_id].lot if drift.instrument_id in terms else None
