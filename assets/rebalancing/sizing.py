"""Quantities for trades: in whole lots, and never more purchases than cash and sales pay for.

Belongs here: from what a trade should move to what is bought and sold. Must not be here: what is traded at all, costs.
"""

from collections.abc import Mapping, Sequence
from decimal import ROUND_DOWN, Decimal
from typing import NamedTuple

from assets.rebalancing.discrete import floor_to_lot, greedy_lots
from assets.rebalancing.model import NO_TERMS, Terms

_QUANTUM = Decimal("1e-12")
# Money that lacks this little is enough: targets are doubles.
_ENOUGH = 1 + Decimal("1e-9")
# Lots worth less than this share of a purchase are only rounded down: what they leave buys no lot of anything else.
_FINE = Decimal("1e-4")
_NOTHING, _ALL = Decimal(0), Decimal(1)


class Drift(NamedTuple):
    """An instrument outside its band: `gap_base` is what should be bought, negative = sold, at `price_base` each.

    `is_exit`: its target is 0.
    """

    instrument_id: str
    current: Decimal
    target: Decimal
    gap_base: Decimal
    price_base: Decimal
    held: Decimal
    is_sale: bool
    is_exit: bool


class Trade(NamedTuple):
    """What is to be traded of a drift.

    Attributes:
        quantity: units, >= 0.
        share: of a purchase, what there is money for.
        moved_base: value bought, negative = sold, in base currency.
    """

    drift: Drift
    quantity: Decimal
    share: Decimal
    moved_base: Decimal


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
    trades = {drift.instrument_id: _sale(drift, _lot(drift, terms)) for drift in drifts if drift.is_sale}
    purchases = [drift for drift in drifts if not drift.is_sale]
    if purchases:
        share = _ALL
        needed = sum([drift.gap_base for drift in purchases], _NOTHING)
        if spare_cash is not None and needed:
            proceeds = sum([trade.moved_base for trade in trades.values()], _NOTHING)
            available = max(spare_cash - proceeds, _NOTHING)
            share = _ALL if needed <= available * _ENOUGH else available / needed
        trades |= _purchases(purchases, share, terms)
    return tuple([trades[drift.instrument_id] for drift in drifts])


def _sale(drift: Drift, lot: Decimal | None) -> Trade:
    quantity = drift.held
    if not drift.is_exit:
        wanted = (-drift.gap_base / drift.price_base).quantize(_QUANTUM, ROUND_DOWN)
        quantity = floor_to_lot(min(wanted, drift.held), lot)
    return Trade(drift, quantity, _ALL, -(quantity * drift.price_base))


def _purchase(drift: Drift, quantity: Decimal, share: Decimal) -> Trade:
    return Trade(drift, quantity, share, quantity * drift.price_base)


def _purchases(purchases: Sequence[Drift], share: Decimal, terms: Mapping[str, Terms]) -> dict[str, Trade]:
    found: dict[str, Trade] = {}
    coarse: list[tuple[Drift, Decimal, Decimal]] = []
    for drift in purchases:
        money, lot = drift.gap_base * share, _lot(drift, terms)
        if lot is not None and lot * drift.price_base > money * _FINE and money > _NOTHING:
            coarse.append((drift, money, lot))
            continue
        quantity = (money / drift.price_base).quantize(_QUANTUM, ROUND_DOWN)
        found[drift.instrument_id] = _purchase(drift, floor_to_lot(quantity, lot), share)
    # larger shares first, as their ties are decided
    coarse.sort(key=lambda one: (-one[1], one[0].instrument_id))
    if coarse:
        wanted = [money for _, money, _ in coarse]
        prices = [lot * drift.price_base for drift, _, lot in coarse]
        counts, _ = greedy_lots(wanted, prices, sum(wanted, _NOTHING))
        for (drift, _, lot), count in zip(coarse, counts, strict=True):
            found[drift.instrument_id] = _purchase(drift, count * lot, share)
    return found


def _lot(drift: Drift, terms: Mapping[str, Terms]) -> Decimal | None:
    return terms[drift.instrument_id].lot if drift.instrument_id in terms else None
