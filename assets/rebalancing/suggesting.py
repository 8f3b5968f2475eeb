"""Suggestions: what drifts by more than the band is traded all the way to its target, where the trade pays.

Belongs here: pure arithmetic on holdings, targets and prices. Must not be here: SQL, how targets are found, orders,
words (sentences).

Cash is never traded: it pays for purchases and takes the proceeds. A price is never invented: without a fresh one there
is a row of action `hold` that says why. A trade that costs more than it wins is a `hold` too; costs are shown, not set
aside. Where cost or gain is unknown the trade stands.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np

from assets.rebalancing.costs import Cost, trading_cost
from assets.rebalancing.model import CASH_PREFIX, NO_TERMS, Covariance, Holding, Quote, Suggestion, Terms
from assets.rebalancing.sentences import (
    drift_sentence,
    loss_sentence,
    lot_sentence,
    share_sentence,
    unfunded_sentence,
)
from assets.rebalancing.sizing import Drift, Trade, sized
from assets.rebalancing.taxes import SaleEffect
from assets.rebalancing.worth import expected_gains, shared_gains

Sell = Callable[[str, Decimal, Decimal], SaleEffect]
"""What selling units of an instrument at a price realises."""

# Weights are doubles: a drift this little above the band is the band.
_WEIGHT_NOISE = Decimal("1e-9")
_NOTHING = Decimal(0)
_NO_PRICE = "Not traded: there is no price to trade at."


@dataclass(frozen=True)
class Market:
    """What is known of trading beside prices.

    Attributes:
        terms: lots and costs by instrument; one that is missing trades in any quantity at an unknown cost.
        sell: gains and tax of a sale; None: unknown.
        covariance: gives that of a year, in base currency, and is asked only where something is traded; None, or
            giving None: trades are not weighed against their cost.
    """

    terms: Mapping[str, Terms] = field(default_factory=lambda: NO_TERMS)
    sell: Sell | None = None
    covariance: Callable[[], Covariance | None] | None = None


@dataclass(frozen=True)
class _Judged:
    """A trade with what it costs (tax included, as far as they are known) and wins, in base currency; None: unknown."""

    trade: Trade
    cost: Cost
    effect: SaleEffect
    cost_base: Decimal
    gain_base: Decimal | None = None

    @property
    def loss_base(self) -> Decimal:
        """By how much cost and tax exceed the gain; 0 where one of them is unknown."""
        if self.gain_base is None or self.cost.total is None:
            return Decimal(0)
        return self.cost_base - self.gain_base


def suggest(
    holdings: Sequence[Holding],
    targets: Mapping[str, float],
    quotes: Mapping[str, Quote],
    band: float,
    *,
    base_currency: str,
    left_out: Mapping[str, str] | None = None,
    needs_funding: bool = True,
    market: Market | None = None,
) -> tuple[Suggestion, ...]:
    """Suggestions in order of instrument; none where nothing has a positive value.

    Current weights are shares of all positive value, cash included. A held instrument without a target has the target
    0. Where purchases need more than sales and the cash above its own target bring, all are scaled down alike. The
    trade that loses most is given up first; the others are sized and weighed again without it.

    Args:
        holdings: one per instrument, cash (`fiat:`) included.
        targets: weights by instrument; cash may be among them.
        quotes: by instrument, for whatever may have to be traded.
        band: the drift (fraction) up to which nothing is done.
        base_currency: of the values, as in fiat:EUR.
        left_out: held instruments that the targets know nothing of, with the reason: they are kept, and the targets
            share what remains.
        needs_funding: False where purchases are paid from outside (`cash: implicit`).
        market: lots, costs, taxes and risk.
    """
    kept = left_out or {}
    known = market or Market()
    held = {holding.instrument_id: holding for holding in holdings}
    total = sum((h.value_base for h in holdings if h.value_base is not None and h.value_base > 0), Decimal(0))
    if total <= 0:
        return ()
    fixed = sum((_value(held[name]) for name in kept if name in held), Decimal(0))
    free = (total - fixed) / total
    wanted = {name: Decimal(repr(float(weight))) * free for name, weight in targets.items()}
    weights = {holding.instrument_id: _value(holding) / total for holding in holdings}
    rows, drifts = _drifts(held, weights, wanted, quotes, kept, total, _exact(band) + _WEIGHT_NOISE)
    spare_cash = _spare_cash(holdings, wanted, total) if needs_funding else None
    covariance = known.covariance() if drifts and known.covariance is not None else None
    off: dict[str, Decimal] = {}
    if covariance is not None:
        off = {n: weights.get(n, _NOTHING) - wanted.get(n, _NOTHING) for n in covariance.labels if n not in kept}
    while True:
        trades = sized(drifts, spare_cash, known.terms)
        judged = _weighed(_judged(trades, known), off, total, covariance, is_funded=needs_funding)
        # of a sale and a purchase that share their loss the dearer one goes
        worst = max(judged, key=lambda one: (round(one.loss_base, 9), one.cost_base), default=None)
        if worst is None or worst.loss_base <= 0:
            break
        drifts.remove(worst.trade.drift)
        rows.append(_unpaid(worst, band, base_currency))
    cash_after = _cash(holdings) - sum((trade.moved_base for trade in trades), Decimal(0)) if needs_funding else None
    rows += [_row(one, quotes[one.trade.drift.instrument_id], band, cash_after, known) for one in judged]
    return tuple(sorted(rows, key=lambda row: row.instrument_id))


def _drifts(
    held: Mapping[str, Holding],
    weights: Mapping[str, Decimal],
    wanted: Mapping[str, Decimal],
    quotes: Mapping[str, Quote],
    kept: Mapping[str, str],
    total: Decimal,
    band: Decimal,
) -> tuple[list[Suggestion], list[Drift]]:
    """What cannot be traded as rows, and what drifts."""
    rows: list[Suggestion] = []
    drifts: list[Drift] = []
    for name in sorted({*held, *wanted}):
        if name.startswith(CASH_PREFIX):
            continue
        target, current = wanted.get(name, _NOTHING), weights.get(name, _NOTHING)
        quantity = held[name].quantity if name in held else Decimal(0)
        quote = quotes.get(name)
        price = Decimal(0) if quote is None or quote.price_base is None else quote.price_base
        drift = Drift(name, current, target, (target - current) * total, price, quantity, target == 0)
        reason = _obstacle(quantity, quote, kept.get(name))
        if name in kept:
            rows.append(_hold(drift, reason, has_target=False))
        elif name in held and (held[name].value_base is None or quantity < 0):
            rows.append(_hold(drift, reason or _NO_PRICE, has_value=held[name].value_base is not None))
        elif abs(current - target) > band and reason:
            rows.append(_hold(drift, reason))
        elif abs(current - target) > band:
            drifts.append(drift)
    return rows, drifts


def _value(holding: Holding) -> Decimal:
    return holding.value_base or Decimal(0)


def _obstacle(quantity: Decimal, quote: Quote | None, left_out: str | None) -> str:
    if left_out:
        return f"Kept as it is: {left_out}."
    if quantity < 0:
        return "Not rebalanced: it is short or borrowed."
    if quote is None or quote.price_base is None or quote.price_base <= 0:
        return _NO_PRICE
    return f"Not traded: {quote.problem}." if quote.problem else ""


def _hold(drift: Drift, reason: str, *, has_value: bool = True, has_target: bool = True) -> Suggestion:
    return Suggestion(
        instrument_id=drift.instrument_id,
        action="hold",
        quantity=None,
        value_usd=None,
        current_weight=float(drift.current) if has_value else None,
        target_weight=float(drift.target) if has_target else None,
        estimated_cost_usd=None,
        reason=reason,
    )


def _cash(holdings: Iterable[Holding]) -> Decimal:
    return sum((_value(h) for h in holdings if h.instrument_id.startswith(CASH_PREFIX)), Decimal(0))


def _spare_cash(holdings: Iterable[Holding], wanted: Mapping[str, Decimal], total: Decimal) -> Decimal:
    reserved = sum((weight for name, weight in wanted.items() if name.startswith(CASH_PREFIX)), Decimal(0)) * total
    return _cash(holdings) - reserved


def _judged(trades: Sequence[Trade], market: Market) -> tuple[_Judged, ...]:
    judged = []
    for trade in trades:
        drift = trade.drift
        effect = SaleEffect()
        if drift.is_sale and trade.quantity > 0 and market.sell is not None:
            effect = market.sell(drift.instrument_id, trade.quantity, drift.price_base)
        cost = trading_cost(trade.quantity, market.terms.get(drift.instrument_id, Terms()))
        cost_base = abs(trade.moved_base) * _exact(cost.total or 0.0) + _tax_due(effect)
        judged.append(_Judged(trade, cost, effect, cost_base))
    return tuple(judged)


def _weighed(
    judged: tuple[_Judged, ...],
    off: Mapping[str, Decimal],
    total: Decimal,
    covariance: Covariance | None,
    *,
    is_funded: bool,
) -> tuple[_Judged, ...]:
    """The same trades with their gains; where sales pay for purchases they share what both win."""
    if covariance is None:
        return judged
    by_name = {one.trade.drift.instrument_id: one for one in judged}
    traded = [by_name.get(name) for name in covariance.labels]
    before = np.array([float(off.get(name, 0)) for name in covariance.labels])
    moved = np.array([0.0 if one is None else float(one.trade.moved_base / total) for one in traded])
    gains = expected_gains(covariance.matrix, before, before + moved)
    if is_funded:
        costs = np.array([0.0 if one is None else float(one.cost_base / total) for one in traded])
        gains = shared_gains(gains, moved, costs)
    found = {name: _exact(float(gain)) * total for name, gain in zip(covariance.labels, gains, strict=True)}
    return tuple(
        _Judged(one.trade, one.cost, one.effect, one.cost_base, found.get(one.trade.drift.instrument_id))
        for one in judged
    )


def _tax_due(effect: SaleEffect) -> Decimal:
    """A loss lowers other taxes only where there are other gains: it never speaks for a sale."""
    return max(effect.tax or Decimal(0), Decimal(0))


def _unpaid(one: _Judged, band: float, base_currency: str) -> Suggestion:
    tax, drift = _tax_due(one.effect), one.trade.drift
    why = loss_sentence(drift, one.cost_base - tax, tax, one.gain_base or _NOTHING, base_currency)
    return _hold(drift, f"{drift_sentence(drift, band)} {why}")


def _row(one: _Judged, quote: Quote, band: float, cash_after: Decimal | None, market: Market) -> Suggestion:
    trade, drift = one.trade, one.trade.drift
    reason = drift_sentence(drift, band)
    if trade.quantity <= 0 and trade.share <= 0:
        return _hold(drift, f"{reason} {unfunded_sentence(drift)}")
    if trade.quantity <= 0:
        lot = market.terms.get(drift.instrument_id, Terms()).lot
        return _hold(drift, f"{reason} {lot_sentence(drift, lot)}")
    if trade.share < 1:
        reason += f" {share_sentence(trade.share)}"
    value_usd = None if quote.price_usd is None else trade.quantity * quote.price_usd
    usd_rate = None if quote.price_usd is None else quote.price_usd / drift.price_base
    return Suggestion(
        instrument_id=drift.instrument_id,
        action="sell" if drift.is_sale else "buy",
        quantity=trade.quantity,
        value_usd=value_usd,
        current_weight=float(drift.current),
        target_weight=float(drift.target),
        estimated_cost_usd=_times(value_usd, one.cost.total),
        reason=reason,
        spread_cost_usd=_times(value_usd, one.cost.spread),
        impact_cost_usd=_times(value_usd, one.cost.impact),
        cost_method=one.cost.method,
        realized_gain_base=one.effect.gain,
        short_gain_base=one.effect.short_gain,
        long_gain_base=one.effect.long_gain,
        estimated_tax_base=one.effect.tax,
        expected_gain_usd=None if usd_rate is None or one.gain_base is None else one.gain_base * usd_rate,
        cash_after_base=cash_after,
    )


def _times(value: Decimal | None, fraction: float | None) -> Decimal | None:
    return None if value is None or fraction is None else value * _exact(fraction)


def _exact(number: float) -> Decimal:
    return Decimal(repr(float(number)))
