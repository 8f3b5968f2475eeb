"""Dated balances: holdings without a ledger, and the comparison where both exist.

Belongs here: turning observed changes into flows, comparing an observed with a derived balance. Must not be here:
transactions.

The first observation is the opening value, an inflow; a later change that no transaction explains is a flow at the
price of the later observation. Where transactions exist a balance changes nothing: a difference is an issue, never a
silent plug. Either way each balance leaves a row that says what was derived for its moment and what became of the
difference. A balance file need not be complete: what it does not list is not compared and is not zero; a zero is
written as a balance of 0.

A balance under another id of what the ledger holds (`eip155:1/slip44:60` beside a ledger in `crypto:ETH`) belongs to
that ledger: taken as a holding of its own it would count twice.
"""

from collections.abc import Collection, Iterable, Sequence
from decimal import Decimal

from assets.ledger.books import Books
from assets.ledger.model import ZERO, Balance, Portfolio, ReconciliationRow, Transaction, is_fiat
from assets.ledger.postings import total

Key = tuple[str, str, str]
"""Portfolio, account, instrument."""

_MONEY_TYPES = frozenset({"BUY", "SELL", "DIVIDEND", "INTEREST"})
# They name an instrument without bringing or taking any of it: where nothing else does, its balances still say what
# is held, and a split explains the change between two of them.
_UNMOVING_TYPES = frozenset({"DIVIDEND", "DIVIDEND_ENTITLEMENT", "DIVIDEND_PER_UNIT", "SPLIT"})
# Two sources that round at the ninth digit agree.
RELATIVE_TOLERANCE = Decimal("1E-9")


def with_ledger(portfolios: Iterable[Portfolio], transactions: Iterable[Transaction]) -> set[Key]:
    """The places that some transaction touches, by units, money or fee; all others have balances alone."""
    implicit = {p.portfolio_id for p in portfolios if p.cash_mode == "implicit"}
    keys: set[Key] = set()
    for t in transactions:
        if t.type not in _UNMOVING_TYPES:
            keys.add((t.portfolio_id, t.account_id, t.instrument_id))
        if t.currency and (t.type in _MONEY_TYPES or t.tax):
            keys.add((t.portfolio_id, t.money_account, t.currency))
        if t.fee:
            keys.add((t.portfolio_id, t.money_account if is_fiat(t.charged_in) else t.account_id, t.charged_in))
    return {key for key in keys if not (key[0] in implicit and is_fiat(key[2]))}


def observe(books: Books, balance: Balance, *, is_first: bool, is_beside_ledger: bool) -> None:
    """Make the position what was observed; the change is a flow.

    Args:
        books: the portfolio.
        balance: an observation of a place that no transaction touches.
        is_first: whether it is the first of its place.
        is_beside_ledger: whether transactions touch other instruments of the account: then one may be missing here.
    """
    account, instrument = balance.account_id, balance.instrument_id
    books.about(f"observed:{account}:{instrument}:{balance.balance_at:%Y%m%dT%H%M%S.%f}")
    position = books.position(account, instrument)
    position.is_observed = True
    before = position.quantity
    change = balance.quantity - before
    kind = "opening" if is_first else "observed_change"
    flows = len(books.flows)
    if change > 0:
        books.bring_in(kind, account, instrument, change, balance.cost_base if is_first else None)
    elif change < 0:
        books.send_out(kind, account, instrument, -change)
    flow_id = books.flows[flows].flow_id if len(books.flows) > flows else None
    _row(books, [balance], instrument, before, ZERO, kind if change else "unchanged", flow_id)
    if change and is_beside_ledger:
        message = (
            f"account {account} has transactions, but none of {instrument}: what its balances say of it counts as flows"
        )
        books.issue("balance_without_ledger", message, account, instrument, once=True)


def reconcile(books: Books, balances: Sequence[Balance], in_ledger: Collection[str]) -> None:
    """Compare what was observed of one asset in one account at one moment with what the transactions give.

    Where the balances name the ledger's own instruments each is compared by itself; where some have another id of the
    same asset, the sums are.

    Args:
        books: the portfolio.
        balances: of one account and moment, all of one canonical instrument, at least one.
        in_ledger: the ids under which the account's transactions know that instrument.
    """
    if all(balance.instrument_id in in_ledger for balance in balances):
        for balance in balances:
            _compare(books, [balance], balance.instrument_id, [balance.instrument_id])
    else:
        _compare(books, balances, books.valuation.book.canonical(balances[0].instrument_id), in_ledger)


def _compare(books: Books, balances: Sequence[Balance], instrument: str, in_ledger: Collection[str]) -> None:
    account = balances[0].account_id
    places = (books.positions.get((account, name)) for name in in_ledger)
    derived = total(position.quantity for position in places if position)
    observed = total(balance.quantity for balance in balances)
    tolerance = max(abs(derived), abs(observed)) * RELATIVE_TOLERANCE
    is_match = abs(derived - observed) <= tolerance
    _row(books, balances, instrument, derived, tolerance, "matched" if is_match else "mismatch", None)
    if is_match:
        return
    books.about("")
    message = (
        f"account {account} holds {observed} {instrument} by the balance of "
        f"{balances[0].balance_at:%Y-%m-%d %H:%M:%S} UTC and {derived} by its transactions"
    )
    books.issue("balance_mismatch", message, account, instrument)


def _row(
    books: Books,
    balances: Sequence[Balance],
    instrument: str,
    derived: Decimal,
    tolerance: Decimal,
    status: str,
    flow_id: str | None,
) -> None:
    first = balances[0]
    observed = total(balance.quantity for balance in balances)
    difference = observed - derived
    books.reconciliation.append(
        ReconciliationRow(
            books.portfolio_id,
            first.account_id,
            instrument,
            first.balance_at,
            first.is_date_only,
            first.balance_date,
            observed,
            derived,
            difference,
            tolerance,
            books.market(instrument, difference) if difference else ZERO,
            status,
            ", ".join(sorted(balance.instrument_id for balance in balances)),
            flow_id,
        )
    )
