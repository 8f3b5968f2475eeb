"""Trades that lead from what is held to the target weights.

Belongs here: pure arithmetic on holdings, targets and prices. Must not be here: SQL, how targets are found, orders.

Only what drifts by more than the band is traded, all the way to its target. Cash is never traded: it pays for purchases
and takes the proceeds. A price is never invented: without a fresh one there is a row of action `hold` that says why.
Costs are proportional, `cost_rate` of the value traded; they are shown, not set aside.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import ROUND_DOWN, Decimal

CASH_PREFIX = "fiat:"
DEFAULT_COST_RATE = Decimal("0.001")
_QUANTUM = Decimal("1e-12")
# Weights are doubles: a drift this little above the band is the band.
_WEIGHT_NOISE = Decimal("1e-9")


@dataclass(frozen=True)
class Holding:
    """A position, accounts added up: `value_base` None where it has no price."""

    instrument_id: str
    quantity: Decimal
    value_base: Decimal | None


@dataclass(frozen=True)
class Quote:
    """The price to trade at; `problem` says why it cannot be used, if so."""

    price_base: Decimal | None
    price_usd: Decimal | None
    problem: str | None = None


@dataclass(frozen=True)
class Suggestion:
    """One row: `action` buy, sell or hold; quantity and values >= 0, None where nothing is to be traded or unknown."""

    instrument_id: str
    action: str
    quantity: Decimal | None
    value_usd: Decimal | None
    current_weight: float | None
    target_weight: float | None
    estimated_cost_usd: Decimal | None
    reason: str


@dataclass(frozen=True)
class _Trade:
    instrument_id: str
    current: Decimal
    target: Decimal
    value_base: Decimal  # signed: what is to be bought, negative = sold
    is_exit: bool
    share: Decimal = Decimal(1)  # of the purchase that there is cash for


def suggest(
    holdings: Sequence[Holding],
    targets: Mapping[str, float],
    quotes: Mapping[str, Quote],
    band: float,
    *,
    left_out: Mapping[str, str] | None = None,
    cost_rate: Decimal = DEFAULT_COST_RATE,
    needs_funding: bool = True,
) -> tuple[Suggestion, ...]:
    """Suggestions in order of instrument; none where nothing has a positive value.

    Current weights are shares of all positive value, cash included. A held instrument without a target has the target
    0. Where purchases need more than sales and the cash above its own target bring, all are scaled down alike.

    Args:
        holdings: one per instrument, cash (`fiat:`) included.
        targets: weights by instrument; cash may be among them.
        quotes: by instrument, for whatever may have to be traded.
        band: the drift (fraction) up to which nothing is done.
        left_out: held instruments that the targets know nothing of, with the reason: they are kept, and the targets
            share what remains.
        cost_rate: fraction of the value traded.
        needs_funding: False where purchases are paid from outside (`cash: implicit`).
    """
    kept = left_out or {}
    held = {holding.instrument_id: holding for holding in holdings}
    total = sum((h.value_base for h in holdings if h.value_base is not None and h.value_base > 0), Decimal(0))
    if total <= 0:
        return ()
    fixed = sum((_value(held[name]) for name in kept if name in held), Decimal(0))
    free = (total - fixed) / total
    wanted = {name: Decimal(repr(float(weight))) * free for name, weight in targets.items()}
    rows: list[Suggestion] = []
    trades: list[_Trade] = []
    for name in sorted({*held, *targets}):
        if name.startswith(CASH_PREFIX):
            continue
        target = wanted.get(name, Decimal(0))
        current = _value(held[name]) / total if name in held else Decimal(0)
        reason = _obstacle(held.get(name), quotes.get(name), kept.get(name))
        if name in kept:
            rows.append(_hold(name, current, None, reason))
        elif name in held and (held[name].value_base is None or held[name].quantity < 0):
            rows.append(_hold(name, None if held[name].value_base is None else current, target, reason))
        elif abs(current - target) > Decimal(repr(float(band))) + _WEIGHT_NOISE:
            if reason:
                rows.append(_hold(name, current, target, reason))
            else:
                trades.append(_Trade(name, current, target, (target - current) * total, target == 0))
    if needs_funding:
        trades = _funded(trades, _spare_cash(held.values(), wanted, total))
    rows += [_row(trade, held, quotes[trade.instrument_id], band, cost_rate) for trade in trades]
    return tuple(sorted(rows, key=lambda row: row.instrument_id))


def _value(holding: Holding) -> Decimal:
    return holding.value_base or Decimal(0)


def _obstacle(holding: Holding | None, quote: Quote | None, left_out: str | None) -> str:
    if left_out:
        return f"kept as it is: {left_out}"
    if holding is not None and holding.quantity < 0:
        return "short or borrowed: not rebalanced"
    if quote is None or quote.price_base is None or quote.price_base <= 0:
        return "no price to trade at"
    return quote.problem or ""


def _hold(name: str, current: Decimal | None, target: Decimal | None, reason: str) -> Suggestion:
    return Suggestion(
        instrument_id=name,
        action="hold",
        quantity=None,
        value_usd=None,
        current_weight=None if current is None else float(current),
        target_weight=None if target is None else float(target),
        estimated_cost_usd=None,
        reason=reason or "no price to trade at",
    )


def _spare_cash(holdings: Iterable[Holding], wanted: Mapping[str, Decimal], total: Decimal) -> Decimal:
    cash = sum((_value(h) for h in holdings if h.instrument_id.startswith(CASH_PREFIX)), Decimal(0))
    reserved = sum((weight for name, weight in wanted.items() if name.startswith(CASH_PREFIX)), Decimal(0)) * total
    return cash - reserved


def _funded(trades: list[_Trade], spare_cash: Decimal) -> list[_Trade]:
    needed = sum((trade.value_base for trade in trades if trade.value_base > 0), Decimal(0))
    proceeds = -sum((trade.value_base for trade in trades if trade.value_base < 0), Decimal(0))
    available = max(spare_cash + proceeds, Decimal(0))
    if needed <= available * (1 + _WEIGHT_NOISE):
        return trades
    share = available / needed
    return [replace(t, value_base=t.value_base * share, share=share) if t.value_base > 0 else t for t in trades]


def _row(trade: _Trade, held: Mapping[str, Holding], quote: Quote, band: float, cost_rate: Decimal) -> Suggestion:
    drift = 100 * abs(trade.current - trade.target)
    side = "above" if trade.current > trade.target else "below"
    reason = (
        f"weight {100 * trade.current:.2f} % is {drift:.2f} points {side} its target {100 * trade.target:.2f} %, "
        f"band {100 * band:g}"
    )
    if trade.share <= 0:
        return _hold(trade.instrument_id, trade.current, trade.target, f"{reason}; no cash and no sale to pay for it")
    if trade.share < 1:
        reason += f"; cash and sales pay for {100 * trade.share:.1f} % of it"
    if quote.price_base is None:  # pragma: no cover - _obstacle has refused it
        raise ValueError(f"{trade.instrument_id}: no price")
    quantity = (abs(trade.value_base) / quote.price_base).quantize(_QUANTUM, rounding=ROUND_DOWN)
    if trade.value_base < 0:
        quantity = held[trade.instrument_id].quantity if trade.is_exit else quantity
        quantity = min(quantity, held[trade.instrument_id].quantity)
    value_usd = None if quote.price_usd is None else quantity * quote.price_usd
    return Suggestion(
        instrument_id=trade.instrument_id,
        action="sell" if trade.value_base < 0 else "buy",
        quantity=quantity,
        value_usd=value_usd,
        current_weight=float(trade.current),
        target_weight=float(trade.target),
        estimated_cost_usd=None if value_usd is None else value_usd * cost_rate,
        reason=reason,
    )
