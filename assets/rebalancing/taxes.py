"""What a sale realises: the lots that the portfolio's cost method takes, their gain by holding period, and its tax.

Belongs here: one sale against open lots. Must not be here: how lots came about (assets.ledger), a country's rules.

The pools are the ledger's own, so a suggestion names the lots that the sale would really take. Tax is there only where
the owner gave rates: gain x rate, negative for a loss (worth that much against other gains). No allowance, no wash-sale
rule, no netting over sales.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from assets.ledger.lots import Lot, Pool


class OpenLot(NamedTuple):
    """A lot as the ledger left it; `pool_id` is its economic asset, `cost_base` None: unknown."""

    account_id: str
    instrument_id: str
    pool_id: str
    lot_id: str
    acquired_at: datetime
    quantity: Decimal
    cost_base: Decimal | None
    is_missing_acquisition: bool = False


@dataclass(frozen=True)
class TaxRules:
    """A portfolio's cost method (FIFO LIFO HIFO ACB), lot scope (account, portfolio) and rates (fractions) if given."""

    method: str = "FIFO"
    scope: str = "account"
    short_rate: Decimal | None = None
    long_rate: Decimal | None = None


class SaleEffect(NamedTuple):
    """Gains in base currency before the cost of trading; None: unknown.

    `short_gain` and `long_gain` add up to `gain`; both are None where a lot has no holding period (average cost, a
    missing acquisition). Then there is a tax only if both rates are one.
    """

    gain: Decimal | None = None
    short_gain: Decimal | None = None
    long_gain: Decimal | None = None
    tax: Decimal | None = None


def sale_effect(
    lots: Sequence[OpenLot], instrument_id: str, quantity: Decimal, price: Decimal, rules: TaxRules, sold_on: date
) -> SaleEffect:
    """What selling `quantity` units at `price` realises.

    With lots by account the accounts that hold most sell first (then by id): a suggestion names no account.

    Args:
        lots: open lots of the portfolio, of any instrument.
        instrument_id: what is sold.
        quantity: units, > 0.
        price: of a unit in base currency.
        rules: of the portfolio.
        sold_on: UTC day of the sale.
    """
    own = [lot for lot in lots if lot.instrument_id == instrument_id]
    if sum((lot.quantity for lot in own), Decimal(0)) < quantity:
        return SaleEffect()
    taken: list[Lot] = []
    if rules.scope == "portfolio":
        pooled = [lot for lot in lots if lot.pool_id == own[0].pool_id]
        taken = _pool(pooled, rules.method).take(quantity, (own[0].account_id, instrument_id))
    else:
        for account_id, held in _accounts(own):
            part = min(held, quantity)
            pooled = [lot for lot in lots if lot.pool_id == own[0].pool_id and lot.account_id == account_id]
            if part > 0:
                taken += _pool(pooled, rules.method).take(part, (account_id, instrument_id))
            quantity -= part
    return _effect(taken, price, rules, sold_on)


def is_long_term(acquired_on: date, sold_on: date) -> bool:
    """Whether more than a calendar year lies between: the rule of `realized_gains.holding_period`."""
    return sold_on >= max(_year_later(acquired_on) + timedelta(1), _year_later(acquired_on + timedelta(1)))


def _year_later(day: date) -> date:
    is_leap_day = (day.month, day.day) == (2, 29)
    return date(day.year + 1, 2, 28) if is_leap_day else day.replace(year=day.year + 1)


def _accounts(lots: Iterable[OpenLot]) -> list[tuple[str, Decimal]]:
    held: defaultdict[str, Decimal] = defaultdict(Decimal)
    for lot in lots:
        held[lot.account_id] += lot.quantity
    return sorted(held.items(), key=lambda pair: (-pair[1], pair[0]))


def _pool(lots: Iterable[OpenLot], method: str) -> Pool:
    pool = Pool(method)
    for lot in sorted(lots, key=lambda lot: (lot.acquired_at, lot.lot_id)):
        # a pool's own sums need a rate, and nothing here asks for them
        is_known = lot.cost_base is not None
        place = (lot.account_id, lot.instrument_id)
        pool.add(
            Lot(
                lot.lot_id, place, lot.acquired_at, lot.quantity, lot.cost_base, Decimal(1) if is_known else None, None,
                is_counted=is_known, is_missing=lot.is_missing_acquisition,
            )
        )  # fmt: skip
    return pool


def _effect(taken: Iterable[Lot], price: Decimal, rules: TaxRules, sold_on: date) -> SaleEffect:
    short = long = unknown = Decimal(0)
    has_periods = rules.method != "ACB"
    for lot in taken:
        if lot.cost is None:
            return SaleEffect()
        gain = lot.quantity * price - lot.cost
        if lot.is_missing or not has_periods:
            has_periods = False
            unknown += gain
        elif is_long_term(lot.acquired_at.astimezone(UTC).date(), sold_on):
            long += gain
        else:
            short += gain
    total = short + long + unknown
    tax = None
    if rules.short_rate is not None and rules.long_rate is not None:
        if has_periods:
            tax = short * rules.short_rate + long * rules.long_rate
        elif rules.short_rate == rules.long_rate:
            tax = total * rules.long_rate
    return SaleEffect(total, short if has_periods else None, long if has_periods else None, tax)
