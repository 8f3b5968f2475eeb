"""Dated balances: holdings without a ledger, and the comparison where both exist.

Belongs here: turning observed changes into flows, comparing an observed with a derived balance. Must not be here:
transactions.

The first observation is the opening value, an inflow; a later change that no transaction explains is a flow at the
price of the later observation. Where transactions exist a balance changes nothing: a difference is an issue, never a
silent plug.
"""

from collections.abc import Iterable
from decimal import Decimal

from assets.ledger.books import Books
from assets.ledger.model import ZERO, Balance, Portfolio, Transaction, is_fiat

Key = tuple[str, str, str]
"""Portfolio, account, instrument."""

_MONEY_TYPES = frozenset({"BUY", "SELL", "DIVIDEND", "INTEREST"})
# Two sources that round at the ninth digit agree.
RELATIVE_TOLERANCE = Decimal("1E-9")


def with_ledger(portfolios: Iterable[Portfolio], transactions: Iterable[Transaction]) -> set[Key]:
    """The places that some transaction touches, by units, money or fee; all others have balances alone."""
    implicit = {p.portfolio_id for p in portfolios if p.cash_mode == "implicit"}
    keys: set[Key] = set()
    for t in transactions:
        keys.add((t.portfolio_id, t.account_id, t.instrument_id))
        if t.currency and (t.type in _MONEY_TYPES or t.tax):
            keys.add((t.portfolio_id, t.money_account, t.currency))
        if t.fee:
            keys.add((t.portfolio_id, t.money_account if is_fiat(t.charged_in) else t.account_id, t.charged_in))
    return {key for key in keys if not (key[0] in implicit and is_fiat(key[2]))}


def observe(books: Books, balance: Balance, *, is_first: bool) -> None:
    """Make the position what was observed; the change is a flow."""
    account, instrument = balance.account_id, balance.instrument_id
    books.about(f"observed:{account}:{instrument}:{balance.balance_at:%Y%m%dT%H%M%S.%f}")
    position = books.position(account, instrument)
    position.is_observed = True
    change = balance.quantity - position.quantity
    kind = "opening" if is_first else "observed_change"
    if change > 0:
        books.bring_in(kind, account, instrument, change, balance.cost_base if is_first else None)
    elif change < 0:
        books.send_out(kind, account, instrument, -change)


def reconcile(books: Books, balance: Balance) -> None:
    """Compare an observed balance with the one derived from transactions."""
    account, instrument = balance.account_id, balance.instrument_id
    position = books.positions.get((account, instrument))
    derived = position.quantity if position else ZERO
    if abs(derived - balance.quantity) <= max(abs(derived), abs(balance.quantity)) * RELATIVE_TOLERANCE:
        return
    books.about("")
    message = (
        f"account {account} holds {balance.quantity} {instrument} by the balance of "
        f"{balance.balance_at:%Y-%m-%d %H:%M:%S} UTC and {derived} by its transactions"
    )
    books.issue("balance_mismatch", message, account, instrument)
