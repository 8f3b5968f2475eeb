"""Purchases, sales and swaps.

Belongs here: what a trade costs and brings, where its fee and tax go. Must not be here: choosing lots (lots),
matching of legs (transfers), the movements themselves (books).

Rules: a purchase's fee and tax add to cost; a sale's fee lowers proceeds; a sale's tax is a `tax` entry; a fee in the
received asset lessens what is received; a fee in the sold asset takes lots along; a fee in a third asset is a
disposal of it at market value. `trade_fee` and `trade_tax` tell what is already in cost or proceeds. Where no cost or
proceeds is known, or money is sold or not held (implicit cash), there is nothing to add a fee to: it is a `fee` entry.
"""

from dataclasses import dataclass, field
from decimal import Decimal

from assets.ledger.books import Books
from assets.ledger.lots import Lot
from assets.ledger.model import ONE, ZERO, Transaction, is_fiat
from assets.ledger.postings import total


def money_rate(books: Books, t: Transaction) -> Decimal | None:
    """Rate of the transaction's currency to base: as booked, else of the moment, else None with an issue."""
    if t.currency is None or t.currency == books.base:
        return ONE
    rate = t.fx_rate
    if rate is None:
        rate = books.market(t.currency, ONE)
        if rate is None:
            books.report_unvalued(t.currency, t.money_account, f"{t.type} for {t.currency}")
    return rate


def lot_rate(books: Books, t: Transaction) -> Decimal | None:
    """The booked rate where it is the rate of the instrument's own quote currency."""
    if t.fx_rate is None or t.currency is None or t.currency == books.base:
        return None
    return t.fx_rate if t.currency == books.valuation.quote(t.instrument_id) else None


def explicit_value(books: Books, t: Transaction) -> Decimal | None:
    """Value in base currency by the row's own price or amount, or None."""
    gross = t.gross_amount()
    if gross is None or t.currency is None:
        return None
    rate = money_rate(books, t)
    return None if rate is None else gross * rate


def third_fee(books: Books, t: Transaction, fee: Decimal) -> Decimal:
    """Pay a fee that is neither in the money nor in the traded asset; returns its value in base currency."""
    account = t.money_account if is_fiat(t.charged_in) else t.account_id
    return books.charge(account, t.charged_in, fee, "-fee")


def can_bear(books: Books, instrument: str, value: Decimal | None) -> bool:
    """Whether a fee can be part of what is given or received; implicit cash is a flow of the value alone."""
    return value is not None and not (books.is_implicit and is_fiat(instrument))


def fee_ate_all(books: Books, t: Transaction, cost: Decimal | None, excess: Decimal) -> Decimal:
    """A fee in the received asset left nothing of it: what that had cost is a fee, and units beyond it leave holdings.

    Returns:
        the whole fee in base currency.
    """
    fee_base = (cost or ZERO) + (books.charge(t.account_id, t.instrument_id, excess, "-excess") if excess else ZERO)
    books.enter("fee", t.account_id, t.instrument_id, fee_base)
    return fee_base


def buy(books: Books, t: Transaction) -> None:
    """Money out, units in at amount + fee + tax."""
    currency = t.currency or books.base
    amount = t.gross_amount() or ZERO
    fee, tax, charged_in = t.fee or ZERO, t.tax or ZERO, t.charged_in
    rate = money_rate(books, t)
    received, paid, other_fee = t.quantity, amount + tax, ZERO
    gross = None if rate is None else amount * rate
    fee_base = None if rate is None else fee * rate
    if fee and charged_in == t.instrument_id:
        received -= fee
        fee_base = None if gross is None else gross * fee / t.quantity
    elif fee and charged_in == currency:
        paid += fee
    elif fee:
        fee_base = other_fee = third_fee(books, t, fee)
    value = paid * rate if rate is not None else books.market(t.instrument_id, t.quantity)
    value = books.pay(t.money_account, currency, paid, value, "trade")
    is_borne = not other_fee or can_bear(books, t.instrument_id, value)
    if not is_borne:
        books.enter("fee", t.account_id, t.instrument_id, other_fee)
        other_fee = ZERO
    cost = None if value is None else value + other_fee
    if received > ZERO:
        if is_fiat(t.instrument_id):
            books.collect(t.account_id, t.instrument_id, received, cost, "trade", role="")
        else:
            books.receive(t.account_id, t.instrument_id, received, cost, lot_rate(books, t))
    else:
        fee_base = fee_ate_all(books, t, cost, -received)
        books.record(t, gross, fee_base, None if rate is None else tax * rate)
        return
    tax_base = None if rate is None else tax * rate
    _inform(books, t, gross, fee_base, tax_base, is_fee_borne=is_borne, is_tax_in_cost=True)


def sell(books: Books, t: Transaction) -> None:
    """Units out, amount - fee - tax of money in."""
    currency = t.currency or books.base
    amount = t.gross_amount() or ZERO
    fee, tax, charged_in = t.fee or ZERO, t.tax or ZERO, t.charged_in
    rate = money_rate(books, t)
    released, net_money, proceeds_fee = t.quantity, amount - tax, ZERO
    fee_base = None if rate is None else fee * rate
    if fee and charged_in == t.instrument_id:
        released += fee
        fee_base = books.market(t.instrument_id, fee)
    elif fee and charged_in == currency:
        net_money -= fee
        proceeds_fee = fee_base or ZERO
    elif fee:
        fee_base = proceeds_fee = third_fee(books, t, fee)
    gross = amount * rate if rate is not None else books.market(t.instrument_id, t.quantity)
    tax_base = ZERO if rate is None else tax * rate
    if is_fiat(t.instrument_id):
        gross = books.pay(t.account_id, t.instrument_id, released, gross, "trade")
        books.enter("fee", t.account_id, t.instrument_id, proceeds_fee)
    else:
        parts = books.release(t.account_id, t.instrument_id, released)
        gross = books.dispose(t.account_id, t.instrument_id, parts, gross, proceeds_fee, lot_rate(books, t))
    # what arrives is worth the proceeds less what was kept back of them in the same money
    kept = (proceeds_fee if charged_in == currency else ZERO) + tax_base
    net = None if gross is None else gross - kept
    books.collect(t.money_account, currency, net_money, net, "trade")
    books.enter("tax", t.account_id, t.instrument_id, tax_base)
    is_borne = not proceeds_fee or (gross is not None and not is_fiat(t.instrument_id))
    _inform(books, t, gross, fee_base, tax_base, is_fee_borne=is_borne, is_tax_in_cost=False)


def _inform(
    books: Books,
    t: Transaction,
    gross: Decimal | None,
    fee_base: Decimal | None,
    tax_base: Decimal | None,
    *,
    is_fee_borne: bool,
    is_tax_in_cost: bool,
) -> None:
    if fee_base and is_fee_borne:
        books.enter("trade_fee", t.account_id, t.instrument_id, fee_base)
    if tax_base and is_tax_in_cost:
        books.enter("trade_tax", t.account_id, t.instrument_id, tax_base)
    books.record(t, gross, fee_base, tax_base)


@dataclass
class _SwapFees:
    """Where the fees of a swap's legs go.

    Attributes:
        received: units by instrument, of a received asset.
        given: units by instrument, of a given asset.
        third: value in base currency by transaction id, of fees in other assets.
        entered: transaction ids of legs whose fee is an entry of its own.
    """

    received: dict[str, Decimal] = field(default_factory=dict)
    given: dict[str, Decimal] = field(default_factory=dict)
    third: dict[str, Decimal] = field(default_factory=dict)
    entered: set[str] = field(default_factory=set)


def swap(books: Books, outs: list[Transaction], ins: list[Transaction]) -> None:
    """Exchange the given units for the received ones at the swap's value.

    The value is an explicit price (out leg first), else the market value of what was given, else of what was received,
    else what the given units had cost. Several legs of a side share it by their own values, evenly where unknown.
    """
    fees = _swap_fees(books, outs, ins)
    given = [_leg_value(books, t) for t in outs]
    received = [_leg_value(books, t) for t in ins]
    value = _swap_value(books, outs, ins, given, received)
    released: list[list[Lot]] = []
    for t in outs:
        books.about(t.transaction_id, t.transaction_id)
        if books.is_implicit and is_fiat(t.instrument_id):
            released.append([])
        else:
            quantity = t.quantity + fees.given.pop(t.instrument_id, ZERO)
            released.append(books.release(t.account_id, t.instrument_id, quantity))
    if value is None:
        parts = [part for leg in released for part in leg]
        if any(part.is_counted and part.cost is not None and not part.is_short for part in parts):
            value = total(part.cost for part in parts if part.cost is not None)
    proceeds_fee, cost_fee = (_borne(books, legs, value, fees) for legs in (outs, ins))
    for t, share, fee, parts in zip(outs, _shares(value, given), _shares(proceeds_fee, given), released, strict=True):
        books.about(t.transaction_id, t.transaction_id)
        if books.is_implicit and is_fiat(t.instrument_id):
            books.flow("trade", t.account_id, t.instrument_id, share)
        else:
            books.dispose(t.account_id, t.instrument_id, parts, share, fee or ZERO, lot_rate(books, t))
        _settle_leg(books, t, share, is_fee_borne=t.transaction_id not in fees.entered)
    for t, share, fee in zip(ins, _shares(value, received), _shares(cost_fee, received), strict=True):
        books.about(t.transaction_id, t.transaction_id)
        quantity = t.quantity - fees.received.pop(t.instrument_id, ZERO)
        cost = None if share is None else share + (fee or ZERO)
        if quantity > 0 and is_fiat(t.instrument_id):
            books.collect(t.account_id, t.instrument_id, quantity, cost, "trade", role="")
        elif quantity > 0:
            books.receive(t.account_id, t.instrument_id, quantity, cost, lot_rate(books, t))
        else:
            fee_ate_all(books, t, cost, -quantity)
            fees.entered.add(t.transaction_id)
        _settle_leg(books, t, share, is_fee_borne=t.transaction_id not in fees.entered)


def _borne(books: Books, legs: list[Transaction], value: Decimal | None, fees: _SwapFees) -> Decimal:
    """Fees in third assets that lower proceeds, or add to cost, of one side; what it cannot bear is entered."""
    if all(can_bear(books, t.instrument_id, value) for t in legs):
        return total(fees.third.get(t.transaction_id, ZERO) for t in legs)
    for t in legs:
        if t.transaction_id in fees.third:
            books.about(t.transaction_id, t.transaction_id)
            books.enter("fee", t.account_id, t.instrument_id, fees.third[t.transaction_id])
            fees.entered.add(t.transaction_id)
    return ZERO


def _settle_leg(books: Books, t: Transaction, share: Decimal | None, *, is_fee_borne: bool) -> None:
    """Pay the leg's tax, tell its fee, and record it."""
    tax_base = ZERO
    if t.tax:
        tax_base = books.charge(t.money_account, t.currency or books.base, t.tax, "-tax")
        books.enter("tax", t.account_id, t.instrument_id, tax_base)
    fee_base = books.market(t.charged_in, t.fee) if t.fee else ZERO
    if fee_base and is_fee_borne:
        books.enter("trade_fee", t.account_id, t.instrument_id, fee_base)
    books.record(t, share, fee_base, tax_base)


def _swap_fees(books: Books, outs: list[Transaction], ins: list[Transaction]) -> _SwapFees:
    fees = _SwapFees()
    received = {t.instrument_id for t in ins}
    given = {t.instrument_id for t in outs}
    for t in (*outs, *ins):
        if not t.fee:
            continue
        if t.charged_in in received:
            fees.received[t.charged_in] = fees.received.get(t.charged_in, ZERO) + t.fee
        elif t.charged_in in given:
            fees.given[t.charged_in] = fees.given.get(t.charged_in, ZERO) + t.fee
        else:
            books.about(t.transaction_id, t.transaction_id)
            fees.third[t.transaction_id] = third_fee(books, t, t.fee)
    return fees


def _leg_value(books: Books, t: Transaction) -> tuple[Decimal | None, Decimal | None]:
    """Explicit and market value of a leg."""
    return explicit_value(books, t), books.market(t.instrument_id, t.quantity)


_Values = list[tuple[Decimal | None, Decimal | None]]


def _swap_value(
    books: Books, outs: list[Transaction], ins: list[Transaction], given: _Values, received: _Values
) -> Decimal | None:
    for side in (given, received):
        if any(explicit is not None for explicit, _ in side):
            value = _sum_known([market if explicit is None else explicit for explicit, market in side])
            if value is not None:
                return value
    for side in (given, received):
        value = _sum_known([market for _, market in side])
        if value is not None:
            return value
    t = outs[0]
    books.about(t.transaction_id, t.transaction_id)
    books.report_unvalued(t.instrument_id, t.account_id, f"SWAP of {t.quantity} for {ins[0].instrument_id}")
    return None


def _sum_known(values: list[Decimal | None]) -> Decimal | None:
    known = [value for value in values if value is not None]
    return total(known) if len(known) == len(values) else None


def _shares(value: Decimal | None, legs: _Values) -> list[Decimal | None]:
    """Share a value over legs by what each is worth; the last takes the exact rest."""
    if value is None or len(legs) == 1:
        return [value] * len(legs)
    own = [market if explicit is None else explicit for explicit, market in legs]
    weights = [ONE if v is None else v for v in own] if None not in own else [ONE] * len(legs)
    whole = total(weights)
    shares: list[Decimal | None] = []
    left = value
    for index, weight in enumerate(weights):
        share = left if index == len(legs) - 1 else value * (weight / whole if whole else ONE / len(legs))
        left -= share
        shares.append(share)
    return shares
