"""Income, charges and refunds.

Belongs here: dividends, interest, rewards in kind, stand-alone fees and taxes and what is given back of them. Must
not be here: fees and taxes of trades (trades), flows of the owner's own money (external).

Income is entered gross; the fee and tax kept back from it are entries of their own. With implicit cash, income in
money is paid out at once (an outflow) and charges in money are paid from outside (an inflow).
"""

from dataclasses import replace
from decimal import Decimal

from assets.ledger.books import Books
from assets.ledger.model import CHARGES, ONE, REFUNDS, ZERO, IncomeRow, Transaction, is_fiat
from assets.ledger.trades import explicit_value, money_rate, third_fee


def cash_income(books: Books, t: Transaction) -> None:
    """DIVIDEND, INTEREST: `quantity` is the net receipt in `currency`; income = quantity + tax + fee."""
    currency = t.currency or t.instrument_id
    fee, tax = t.fee or ZERO, t.tax or ZERO
    rate = money_rate(books, t) if t.currency is not None else books.market(currency, ONE)
    kept_fee = fee if t.charged_in == currency else ZERO
    gross = t.quantity + tax + kept_fee
    income = tax_base = net = None
    fee_base = ZERO
    if rate is not None:
        income, tax_base, net, fee_base = gross * rate, tax * rate, t.quantity * rate, kept_fee * rate
        books.enter("income", t.account_id, t.instrument_id, income)
        books.enter("fee", t.account_id, t.instrument_id, fee_base)
        books.enter("tax", t.account_id, t.instrument_id, tax_base)
    elif not is_fiat(currency):  # of money without a rate, `missing_fx` says so already
        _explain_unknown(books, t, "its value is unknown until it has one")
    if fee and not kept_fee:
        fee_base = third_fee(books, t, fee)
        books.enter("fee", t.account_id, t.instrument_id, fee_base)
    books.collect(t.money_account, currency, t.quantity, net, "income_paid_out", role="")
    _receipt(books, t, t.quantity, income, tax_base)
    books.record(t, income, fee_base, tax_base)


def dividend_per_unit(books: Books, t: Transaction) -> None:
    """DIVIDEND_PER_UNIT: a corporate action pays `quantity` for each unit held at the open of the ex-date, untaxed.

    Without a pay date of its own it comes before everything else of the ex-date, so what is held now is what was held
    before it; with one, its `group_id` names the entitlement that the ex-date has left.
    """
    if t.group_id is None:
        units = books.position(t.account_id, t.instrument_id).quantity
    else:
        units = books.entitled.pop((t.account_id, t.group_id), ZERO)
    if units > 0:
        cash_income(books, replace(t, type="DIVIDEND", quantity=units * t.quantity, group_id=None))


def dividend_entitlement(books: Books, t: Transaction) -> None:
    """DIVIDEND_ENTITLEMENT: what is held at the open of the ex-date is paid on later; until then it is no income."""
    if t.group_id is not None:
        books.entitled[t.account_id, t.group_id] = books.position(t.account_id, t.instrument_id).quantity


def income_in_kind(books: Books, t: Transaction) -> None:
    """STAKING_REWARD, AIRDROP: income at market value, which becomes the cost; without a price zero and a flag."""
    fee, tax = t.fee or ZERO, t.tax or ZERO
    value = books.market(t.instrument_id, t.quantity)
    if value is None:
        value = explicit_value(books, t)
    is_known = value is not None and books.is_valued(t.instrument_id)
    if not is_known:
        _explain_unknown(books, t, "it is held at zero cost")
    received, fee_base = t.quantity, ZERO
    if fee and t.charged_in == t.instrument_id:
        kept = min(fee, received)
        received -= kept
        fee_base = value * kept / t.quantity if is_known and value is not None else ZERO
        if fee > kept:
            fee_base += books.charge(t.account_id, t.instrument_id, fee - kept, "-fee")
    elif fee:
        fee_base = third_fee(books, t, fee)
    income = value if is_known else None
    if income is not None:
        books.enter("income", t.account_id, t.instrument_id, income)
    books.enter("fee", t.account_id, t.instrument_id, fee_base)
    tax_base = _pay_tax(books, t, tax)
    if received > 0:
        cost = ZERO if income is None else income if received == t.quantity else income - fee_base
        books.receive(t.account_id, t.instrument_id, received, cost, can_count=is_known)
    _receipt(books, t, t.quantity, income, tax_base)
    books.record(t, income, fee_base, tax_base)


def charge(books: Books, t: Transaction) -> None:
    """FEE, TAX, INTEREST_CHARGE: money out, or a disposal at market value where the charge is in an asset."""
    measure = CHARGES[t.type]
    account = t.money_account if is_fiat(t.instrument_id) else t.account_id
    value = explicit_value(books, t) if t.currency != t.instrument_id else None
    if value is None and t.currency == t.instrument_id:
        rate = money_rate(books, t)
        value = None if rate is None else t.quantity * rate
    if value is None:
        value = books.charge(account, t.instrument_id, t.quantity, "")
    else:
        books.pay(account, t.instrument_id, t.quantity, value, "fee_paid")
    books.enter(measure, t.account_id, t.instrument_id, value)
    extra = _pay_extras(books, t)
    books.record(t, value, extra[0], extra[1])


def refund(books: Books, t: Transaction) -> None:
    """FEE_REFUND, TAX_REFUND: a charge given back, entered as a negative charge."""
    measure = REFUNDS[t.type]
    account = t.money_account if is_fiat(t.instrument_id) else t.account_id
    value = books.market(t.instrument_id, t.quantity)
    if value is None:
        value = explicit_value(books, t)
    is_known = value is not None and books.is_valued(t.instrument_id)
    if not is_known and not (books.is_implicit and is_fiat(t.instrument_id)):
        _explain_unknown(books, t, "it is held at zero cost")
        books.receive(account, t.instrument_id, t.quantity, None, can_count=False)
        books.record(t, None)
        return
    if value is not None:
        books.enter(measure, t.account_id, t.instrument_id, -value)
    books.collect(account, t.instrument_id, t.quantity, value, "fee_paid", role="")
    extra = _pay_extras(books, t)
    books.record(t, value, extra[0], extra[1])


def _pay_tax(books: Books, t: Transaction, tax: Decimal) -> Decimal:
    if not tax:
        return ZERO
    currency = t.currency or books.base
    tax_base = books.charge(t.money_account, currency, tax, "-tax")
    books.enter("tax", t.account_id, t.instrument_id, tax_base)
    return tax_base


def _pay_extras(books: Books, t: Transaction) -> tuple[Decimal, Decimal]:
    """A fee or tax stated beside a charge is one more charge."""
    fee_base = ZERO
    if t.fee:
        fee_base = third_fee(books, t, t.fee)
        books.enter("fee", t.account_id, t.instrument_id, fee_base)
    return fee_base, _pay_tax(books, t, t.tax or ZERO)


def _receipt(books: Books, t: Transaction, quantity: Decimal, income: Decimal | None, tax: Decimal | None) -> None:
    clock = books.clock
    books.incomes.append(
        IncomeRow(
            books.portfolio_id,
            t.account_id,
            t.instrument_id,
            f"income-{t.transaction_id}",
            clock.at,
            clock.day,
            t.type,
            quantity,
            income,
            tax,
            t.transaction_id,
        )
    )


def _explain_unknown(books: Books, t: Transaction, consequence: str) -> None:
    message = (
        f"{t.type} of {t.quantity} {t.instrument_id} in account {t.account_id} on {books.clock.day}: no price is known "
        f"at that moment, {consequence}; add a price to prices/*.csv"
    )
    books.issue("income_without_price", message, t.account_id, t.instrument_id)
