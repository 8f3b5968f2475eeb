"""Suggestions: what drifts by more than the band is traded all the way to its target, where the trade pays.

Belongs here: pure arithmetic on holdings, targets and prices. Must not be here: SQL, how targets are found, orders.

Cash is never traded: it pays for purchases and takes the proceeds. A price is never invented: without a fresh one there
is a row of action `hold` that says why. A trade that costs more than it wins is a `hold` too; costs are shown, not set
aside. Where cost or gain is unknown the trade stands.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from operator import attrgetter
from typing import NamedTuple

import numpy as np

from assets.rebalancing.costs import Cost, trading_cost
from assets.rebalancing.drifting import Position, hold
from assets.rebalancing.model import NO_TERMS, Covariance, Quote, Suggestion, Terms
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

_NOTHING, _ALL = Decimal(0), Decimal(1)
_NO_TERMS, _NO_EFFECT = Terms(), SaleEffect()
_BY_INSTRUMENT = attrgetter("instrument_id")


class Market(NamedTuple):
    """What is known of trading beside prices.

    Attributes:
        terms: lots and costs by instrument; one that is missing trades in any quantity at an unknown cost.
        sell: gains and tax of a sale; None: unknown.
        covariance: gives that of a year, in base currency, and is asked only where something is traded; None, or
            giving None: trades are not weighed against their cost.
    """

    terms: Mapping[str, Terms] = NO_TERMS
    sell: Sell | None = None
    covariance: Callable[[], Covariance | None] | None = None


@dataclass(slots=True)
class _Judged:
    """A trade with what it costs (tax included, as far as they are known) and wins, in base currency; None: unknown.

    `loss_base`: by how much cost and tax exceed the gain; 0 where one of them is unknown.
    """

    trade: Trade
    cost: Cost
    effect: SaleEffect
    cost_base: Decimal
    gain_base: Decimal | None = None
    loss_base: Decimal = _NOTHING


def settled(found: Position, quotes: Mapping[str, Quote], market: Market, base_currency: str) -> tuple[Suggestion, ...]:
    """The suggestions of a position, in order of instrument; `base_currency`, of its values, as in fiat:EUR.

    Where purchases need more than sales and the cash above its own target bring, all are scaled down alike. The trade
    that loses most is given up first; the others are sized and weighed again without it.
    """
    rows, drifts = [*found.untradable], [*found.drifts]
    if not drifts:
        return tuple(rows)
    covariance = None if market.covariance is None else market.covariance()
    while True:
        judged = [_judged(trade, market) for trade in sized(drifts, found.spare_cash, market.terms)]
        if covariance is not None:
            _weigh(judged, found, covariance)
        if not any(one.loss_base > _NOTHING for one in judged):
            break
        # of a sale and a purchase that share their loss the dearer one goes
        worst = max(judged, key=lambda one: (round(one.loss_base, 9), one.cost_base))
        if worst.loss_base <= _NOTHING:
            break
        drifts.remove(worst.trade.drift)
        rows.append(_unpaid(worst, found.band, base_currency))
    cash_after = None
    if found.spare_cash is not None:
        cash_after = found.cash - sum([one.trade.moved_base for one in judged], _NOTHING)
    rows += [_row(one, quotes[one.trade.drift.instrument_id], found.band, cash_after, market) for one in judged]
    rows.sort(key=_BY_INSTRUMENT)
    return tuple(rows)


def _held(drift: Drift, reason: str) -> Suggestion:
    return hold(drift.instrument_id, drift.current, drift.target, reason)


def _judged(trade: Trade, market: Market) -> _Judged:
    drift = trade.drift
    effect = _NO_EFFECT
    if drift.is_sale and market.sell is not None and trade.quantity > _NOTHING:
        effect = market.sell(drift.instrument_id, trade.quantity, drift.price_base)
    cost = trading_cost(trade.quantity, market.terms.get(drift.instrument_id, _NO_TERMS))
    cost_base = abs(trade.moved_base) * _fraction(cost.total or 0.0) + _tax_due(effect)
    return _Judged(trade, cost, effect, cost_base)


def _weigh(judged: Sequence[_Judged], found: Position, covariance: Covariance) -> None:
    """Give the trades their gains; where sales pay for purchases they share what both win."""
    by_name = {one.trade.drift.instrument_id: one for one in judged}
    traded = [by_name.get(name) for name in covariance.labels]
    total, off = found.total, found.off
    before = np.array([float(off.get(name, _NOTHING)) for name in covariance.labels])
    moved = np.array([0.0 if one is None else float(one.trade.moved_base / total) for one in traded])
    gains = expected_gains(covariance.matrix, before, before + moved)
    if found.spare_cash is not None:
        costs = np.array([0.0 if one is None else float(one.cost_base / total) for one in traded])
        gains = shared_gains(gains, moved, costs)
    for one, gain in zip(traded, gains.tolist(), strict=True):
        if one is not None:
            one.gain_base = _exact(gain) * total
            one.loss_base = _NOTHING if one.cost.spread is None else one.cost_base - one.gain_base


def _tax_due(effect: SaleEffect) -> Decimal:
    """A loss lowers other taxes only where there are other gains: it never speaks for a sale."""
    return _NOTHING if effect.tax is None else max(effect.tax, _NOTHING)


def _unpaid(one: _Judged, band: float, base_currency: str) -> Suggestion:
    tax, drift = _tax_due(one.effect), one.trade.drift
    why = loss_sentence(drift, one.cost_base - tax, tax, one.gain_base or _NOTHING, base_currency)
    return _held(drift, f"{drift_sentence(drift, band)} {why}")


def _row(one: _Judged, quote: Quote, band: float, cash_after: Decimal | None, market: Market) -> Suggestion:
    trade, drift, cost, effect = one.trade, one.trade.drift, one.cost, one.effect
    reason = drift_sentence(drift, band)
    if trade.quantity <= _NOTHING and trade.share <= _NOTHING:
        return _held(drift, f"{reason} {unfunded_sentence(drift)}")
    if trade.quantity <= _NOTHING:
        lot = market.terms.get(drift.instrument_id, _NO_TERMS).lot
        return _held(drift, f"{reason} {lot_sentence(drift, lot)}")
    if trade.share < _ALL:
        reason += f" {share_sentence(trade.share)}"
    value_usd = gain_usd = None
    if quote.price_usd is not None:
        value_usd = trade.quantity * quote.price_usd
        if one.gain_base is not None:
            gain_usd = one.gain_base * (quote.price_usd / drift.price_base)
    spread_cost = _times(value_usd, cost.spread)
    # by position: it is made for every trade, and names take twice as long
    return Suggestion(
        drift.instrument_id,
        "sell" if drift.is_sale else "buy",
        trade.quantity,
        value_usd,
        drift.current,
        drift.target,
        # without an impact the spread is all of it
        spread_cost if cost.impact is None else _times(value_usd, cost.total),
        reason,
        spread_cost,
        _times(value_usd, cost.impact),
        cost.method,
        *effect,
        gain_usd,
        cash_after,
    )


def _times(value: Decimal | None, fraction: float | None) -> Decimal | None:
    return None if value is None or fraction is None else value * _fraction(fraction)


@lru_cache(1024)
def _fraction(number: float) -> Decimal:
    """Of costs: most are the spread of a class."""
    return _exact(number)


def _exact(number: float) -> Decimal:
    return Decimal(repr(number))
