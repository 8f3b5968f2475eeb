"""What of a portfolio is off its targets: what drifts by more than the band, and what cannot be traded.

Belongs here: weights beside targets, and why something stays as it is. Must not be here: quantities (sizing), whether a
trade pays (suggesting), SQL.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from assets.rebalancing.model import CASH_PREFIX, Holding, Quote, Suggestion
from assets.rebalancing.sizing import Drift

# Weights are doubles: a drift this little above the band is the band.
_WEIGHT_NOISE = Decimal("1e-9")
_NOTHING = Decimal(0)
_NO_PRICE = "Not traded: there is no price to trade at."


class Position(NamedTuple):
    """A portfolio beside its targets.

    Attributes:
        band: the drift (fraction) up to which nothing is done.
        total: all positive value, cash included, base currency, > 0.
        cash: less what is owed of it, base currency.
        spare_cash: what of it its own target leaves, of a debt nothing; None: purchases are paid from outside.
        off: weight less target by instrument, without cash and what is kept as it is.
        drifts: what is to be traded, in order of instrument.
        untradable: rows of what cannot be.
    """

    band: float
    total: Decimal
    cash: Decimal
    spare_cash: Decimal | None
    off: Mapping[str, Decimal]
    drifts: list[Drift]
    untradable: list[Suggestion]


def position(
    holdings: Sequence[Holding],
    targets: Mapping[str, float],
    quotes: Mapping[str, Quote],
    band: float,
    *,
    left_out: Mapping[str, str] | None = None,
    needs_funding: bool = True,
) -> Position | None:
    """Where a portfolio stands; None where nothing has a positive value.

    Args:
        holdings: one per instrument, cash (`fiat:`) included.
        targets: weights by instrument; cash may be among them.
        quotes: by instrument, for whatever may have to be traded.
        band: the drift (fraction) up to which nothing is done.
        left_out: held instruments that the targets know nothing of, with the reason: they are kept, and the targets
            share what remains.
        needs_funding: False where purchases are paid from outside (`cash: implicit`).
    """
    kept = left_out or {}
    held = {holding.instrument_id: holding for holding in holdings}
    values = {name: holding.value_base or _NOTHING for name, holding in held.items()}
    total = sum([value for value in values.values() if value > _NOTHING], _NOTHING)
    if total <= _NOTHING:
        return None
    wanted = {name: Decimal(repr(float(weight))) for name, weight in targets.items()}
    if kept:
        free = (total - sum((values[name] for name in kept if name in held), _NOTHING)) / total
        wanted = {name: weight * free for name, weight in wanted.items()}
    cash = sum([value for name, value in values.items() if name.startswith(CASH_PREFIX)], _NOTHING)
    reserved = sum([weight for name, weight in wanted.items() if name.startswith(CASH_PREFIX)], _NOTHING) * total
    limit = Decimal(repr(float(band))) + _WEIGHT_NOISE
    off: dict[str, Decimal] = {}
    drifts: list[Drift] = []
    untradable: list[Suggestion] = []
    for name in sorted(held.keys() | wanted.keys()):
        if name.startswith(CASH_PREFIX):
            continue
        holding, target = held.get(name), wanted.get(name, _NOTHING)
        current = _NOTHING if holding is None else values[name] / total
        if name in kept:
            untradable.append(hold(name, current, None, f"Kept as it is: {kept[name]}."))
            continue
        off[name] = current - target
        if holding is not None and (holding.value_base is None or holding.quantity < _NOTHING):
            reason = _obstacle(holding, quotes.get(name)) or _NO_PRICE
            weight = None if holding.value_base is None else current
            untradable.append(hold(name, weight, target, reason))
        elif abs(off[name]) > limit:
            quote = quotes.get(name)
            reason = _obstacle(holding, quote)
            if quote is None or quote.price_base is None or reason:
                untradable.append(hold(name, current, target, reason))
                continue
            quantity = _NOTHING if holding is None else holding.quantity
            gap_base = (target - current) * total
            drifts.append(
                Drift(name, current, target, gap_base, quote.price_base, quantity, gap_base < _NOTHING, not target)
            )
    # what is owed takes from the cash that can be spent; beyond that it stays owed, and sales pay for purchases
    spare_cash = max(cash, _NOTHING) - reserved if needs_funding else None
    return Position(band, total, cash, spare_cash, off, drifts, untradable)


def hold(instrument_id: str, current_weight: Decimal | None, target_weight: Decimal | None, reason: str) -> Suggestion:
    """The row of what is not traded."""
    return Suggestion(instrument_id, "hold", None, None, current_weight, target_weight, None, reason)


def _obstacle(holding: Holding | None, quote: Quote | None) -> str:
    if holding is not None and holding.quantity < _NOTHING:
        return "Not rebalanced: it is short or borrowed."
    if quote is None or quote.price_base is None or quote.price_base <= _NOTHING:
        return _NO_PRICE
    return f"Not traded: {quote.problem}." if quote.problem else ""
