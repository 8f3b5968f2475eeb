"""What crosses the portfolio's border by the owner's hand, and splits.

Belongs here: DEPOSIT, OPENING, WITHDRAWAL, SPLIT. Must not be here: transfers between own accounts (transfers),
income, trades.

An asset's flow counts at market value; a price on the row brings its own cost, whose gain or loss is carried in. A
withdrawal removes lots and realises nothing. With implicit cash no money is held, so flows of money itself leave no
trace but their row.
"""

from decimal import Decimal

from assets.ledger.books import Books
from assets.ledger.lots import round_units
from assets.ledger.model import ZERO, Transaction, is_fiat
from assets.ledger.postings import total
from assets.ledger.trades import explicit_value, lot_rate, money_rate, third_fee


def deposit(books: Books, t: Transaction) -> None:
    """DEPOSIT and OPENING: an inflow at market value; OPENING's fee and tax only add to its cost."""
    if books.is_implicit and is_fiat(t.instrument_id):
        books.record(t, books.market(t.instrument_id, t.quantity))
        return
    fee, tax = t.fee or ZERO, t.tax or ZERO
    cost = explicit_value(books, t) if t.currency != t.instrument_id else None
    fee_base = tax_base = ZERO
    if t.type == "OPENING" and cost is not None:
        rate = money_rate(books, t) or ZERO
        tax_base = tax * rate
        fee_base = fee * rate if t.charged_in == t.currency else books.market(t.charged_in, fee) or ZERO
        cost += fee_base + tax_base
        fee = tax = ZERO
    kind = "opening" if t.type == "OPENING" else "deposit"
    value = books.bring_in(kind, t.account_id, t.instrument_id, t.quantity, cost, lot_rate(books, t))
    if fee:  # in the deposited asset too: it lessens what has just come in
        fee_base = third_fee(books, t, fee)
        books.enter("fee", t.account_id, t.instrument_id, fee_base)
    if tax:
        tax_base = books.charge(t.money_account, t.currency or books.base, tax, "-tax")
        books.enter("tax", t.account_id, t.instrument_id, tax_base)
    books.record(t, value, fee_base, tax_base)


def withdraw(books: Books, t: Transaction) -> None:
    """WITHDRAWAL: an outflow at market value."""
    if books.is_implicit and is_fiat(t.instrument_id):
        books.record(t, books.market(t.instrument_id, t.quantity))
        return
    value, _ = books.send_out("withdrawal", t.account_id, t.instrument_id, t.quantity)
    fee_base = tax_base = ZERO
    if t.fee:
        fee_base = third_fee(books, t, t.fee)
        books.enter("fee", t.account_id, t.instrument_id, fee_base)
    if t.tax:
        tax_base = books.charge(t.money_account, t.currency or books.base, t.tax, "-tax")
        books.enter("tax", t.account_id, t.instrument_id, tax_base)
    books.record(t, value, fee_base, tax_base)


def split(books: Books, t: Transaction) -> None:
    """SPLIT: multiply the quantities of this account by new/old; cost and dates stay."""
    position = books.position(t.account_id, t.instrument_id)
    ratio: Decimal = t.quantity
    if position.quantity > 0 and not position.is_fiat:
        held = {p.location: p.quantity for p in position.siblings if p.quantity > 0}
        position.quantity = position.pool.scale(position.location, ratio, held)
    elif position.shorts:
        for lot in position.shorts:
            lot.quantity = round_units(lot.quantity * ratio)
        position.quantity = -total(lot.quantity for lot in position.shorts)
    books.dirty[position] = None
    books.record(t, None)
