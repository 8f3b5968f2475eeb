"""Processes the transactions and balances of one user, in order of time, into the books of the user's portfolios.

Belongs here: the order of events, the turn of days, which handler answers which type. Must not be here: what a
handler does, the database.

The unit is a user, because a transfer between two portfolios of one user carries lots from one to the other. The
result does not depend on anything but the arguments: no clock, no randomness.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from decimal import localcontext

from assets.ledger import external, income, trades, transfers
from assets.ledger.books import Books
from assets.ledger.closing import close_day, finish
from assets.ledger.lots import dust_limit
from assets.ledger.model import LEDGER_CONTEXT, ZERO, Balance, Portfolio, Transaction
from assets.ledger.observed import Key, observe, reconcile, with_ledger
from assets.ledger.postings import Clock, total
from assets.ledger.price_book import PriceBook

HANDLERS: dict[str, Callable[[Books, Transaction], None]] = {
    "BUY": trades.buy,
    "SELL": trades.sell,
    "DEPOSIT": external.deposit,
    "OPENING": external.deposit,
    "WITHDRAWAL": external.withdraw,
    "SPLIT": external.split,
    "DIVIDEND": income.cash_income,
    "DIVIDEND_ENTITLEMENT": income.dividend_entitlement,
    "DIVIDEND_PER_UNIT": income.dividend_per_unit,
    "INTEREST": income.cash_income,
    "STAKING_REWARD": income.income_in_kind,
    "AIRDROP": income.income_in_kind,
    "FEE": income.charge,
    "TAX": income.charge,
    "INTEREST_CHARGE": income.charge,
    "FEE_REFUND": income.refund,
    "TAX_REFUND": income.refund,
}


def process_user(
    portfolios: Sequence[Portfolio],
    transactions: Iterable[Transaction],
    balances: Iterable[Balance],
    prices: PriceBook,
) -> list[Books]:
    """Run the ledger of one user.

    Args:
        portfolios: all portfolios of the user that are in scope.
        transactions: of these portfolios, up to the cut-off; processed by `sequence`.
        balances: of these portfolios, up to the cut-off.
        prices: prices and rates up to the cut-off.

    Returns:
        one finished set of books for each portfolio, in the order given.

    Raises:
        KeyError: a transaction of an unknown portfolio or type.
    """
    with localcontext(LEDGER_CONTEXT):
        user = _UserLedger(portfolios, sorted(transactions, key=lambda t: t.sequence), balances, prices)
        return user.run()


class _UserLedger:
    def __init__(
        self,
        portfolios: Sequence[Portfolio],
        transactions: list[Transaction],
        balances: Iterable[Balance],
        prices: PriceBook,
    ) -> None:
        self.clock = Clock()
        self.prices = prices
        self.books = {p.portfolio_id: Books(p, prices.valuation(p.base_currency), self.clock) for p in portfolios}
        self.all_books = list(self.books.values())
        self.transactions = transactions
        self.plan = transfers.make_plan(transactions, prices.canonical)
        self.deferred: list[Transaction] = []
        self.swaps_done: set[str] = set()
        self._split_balances(portfolios, balances)

    def run(self) -> list[Books]:
        waiting = iter(self.observations)
        observation = next(waiting, None)
        for t in self.transactions:
            while observation is not None and observation[0].balance_at < t.executed_at:
                self._observe(observation)
                observation = next(waiting, None)
            self._turn_to(t.executed_date)
            self.clock.set(t.executed_at, t.is_date_only)
            self._apply(t)
            if self.deferred:
                self._retry()
            self._settle()
        while observation is not None:
            self._observe(observation)
            observation = next(waiting, None)
        self._turn_to(date.max)
        for books in self.all_books:
            finish(books)
        return self.all_books

    # -- time ------------------------------------------------------------------------------------------------------

    def _turn_to(self, day: date) -> None:
        """Close the open day, and each day before the new one on which something has its first price."""
        if day == self.clock.day:
            return
        if self.clock.day != date.min:
            self._close()
        while True:
            due = day
            for books in self.all_books:
                if books.agenda and books.agenda[0][0] < due:
                    due = books.agenda[0][0]
            if due >= day:
                break
            self.clock.open(due)
            self._close()
        self.clock.open(day)

    def _close(self) -> None:
        self.clock.set_close()
        if self.deferred:
            self._retry(is_last=True)
            self._settle()
        for together in self.day_balances.pop(self.clock.day, ()):
            self._reconcile(together)
        for books in self.all_books:
            close_day(books)

    def _settle(self) -> None:
        for books in self.all_books:
            books.settle()

    # -- balances --------------------------------------------------------------------------------------------------

    def _split_balances(self, portfolios: Sequence[Portfolio], balances: Iterable[Balance]) -> None:
        """Observations in order of time, and those that are compared at the close of their day."""
        latest = {(b.portfolio_id, b.account_id, b.instrument_id, b.balance_at, b.is_date_only): b for b in balances}
        self.observations: list[list[Balance]] = []
        self.day_balances: dict[date, list[list[Balance]]] = {}
        self.first_seen: set[Key] = set()
        self.ledger_names: dict[Key, set[str]] = {}
        self.ledger_accounts: set[tuple[str, str]] = set()
        if not latest:
            return
        for portfolio_id, account, instrument in with_ledger(portfolios, self.transactions):
            place = (portfolio_id, account, self.prices.canonical(instrument))
            self.ledger_names.setdefault(place, set()).add(instrument)
            self.ledger_accounts.add((portfolio_id, account))
        # what is compared is taken together by moment: several ids of one asset may add up to what the ledger holds
        compared: dict[tuple[Key, datetime, bool], list[Balance]] = {}
        for b in latest.values():
            place = self._place(b)
            if place in self.ledger_names:
                compared.setdefault((place, b.balance_at, b.is_date_only), []).append(b)
            else:
                self.observations.append([b])
        for (_, _, is_date_only), together in compared.items():
            if is_date_only:
                self.day_balances.setdefault(together[0].balance_date, []).append(together)
            # also here, so that the day of a comparison is opened even without any other event
            self.observations.append(together)
        self.observations.sort(key=lambda together: (together[0].balance_at, not together[0].is_date_only))

    def _place(self, balance: Balance) -> Key:
        return balance.portfolio_id, balance.account_id, self.prices.canonical(balance.instrument_id)

    def _observe(self, together: list[Balance]) -> None:
        first = together[0]
        self._turn_to(first.balance_date)
        self.clock.set(first.balance_at, first.is_date_only)
        books = self.books[first.portfolio_id]
        if self._place(first) not in self.ledger_names:
            key = (first.portfolio_id, first.account_id, first.instrument_id)
            is_beside_ledger = key[:2] in self.ledger_accounts
            observe(books, first, is_first=key not in self.first_seen, is_beside_ledger=is_beside_ledger)
            self.first_seen.add(key)
            books.settle()
        elif not first.is_date_only:
            self._reconcile(together)

    def _reconcile(self, together: list[Balance]) -> None:
        reconcile(self.books[together[0].portfolio_id], together, self.ledger_names[self._place(together[0])])

    # -- transactions ----------------------------------------------------------------------------------------------

    def _apply(self, t: Transaction) -> None:
        books = self.books[t.portfolio_id]
        handler = HANDLERS.get(t.type)
        if handler is not None:
            books.about(t.transaction_id, t.transaction_id)
            handler(books, t)
        elif t.transaction_id in self.plan.unmatched:
            books.about(t.transaction_id, t.transaction_id)
            transfers.unmatched(books, t)
        elif t.type == "SWAP_IN":
            books.position(t.account_id, t.instrument_id).incoming.append(lambda: self._swap(t))
        elif t.type == "SWAP_OUT":
            self._swap(t)
        elif t.type == "TRANSFER_IN":
            self._transfer_in(books, t)
        elif t.type == "TRANSFER_OUT":
            if self._is_available(books, t):
                self._transfer_out(books, t)
            else:
                self.deferred.append(t)
        else:
            raise KeyError(
                f"transaction {t.transaction_id} has the unknown type {t.type!r}; known are {sorted(HANDLERS)}"
            )

    def _swap(self, t: Transaction) -> None:
        """A swap happens at its first out leg, or before where an event needs what it brings."""
        outs, ins = self.plan.swaps[t.transaction_id]
        key = outs[0].transaction_id
        if key in self.swaps_done:
            return
        self.swaps_done.add(key)
        books = self.books[t.portfolio_id]
        if transfers.wraps(outs, ins, self.prices.canonical):
            transfers.carry(books, outs, ins)
        else:
            trades.swap(books, outs, ins)

    def _transfer_in(self, books: Books, t: Transaction) -> None:
        for hop in self.plan.hops[t.transaction_id]:
            hop.is_due = True
            if not hop.is_released:
                position = books.position(t.account_id, t.instrument_id)
                position.incoming.append(lambda hop=hop: self._hop(hop))  # type: ignore[misc]
            elif not hop.is_placed:
                transfers.arrive(books, hop, self.books[hop.out.portfolio_id])
        excess = self.plan.excess.get(t.transaction_id, ZERO)
        transfers.end_in_leg(books, t, excess, is_fee_told=t.transaction_id in self.plan.told_fees)

    def _transfer_out(self, books: Books, t: Transaction) -> None:
        for hop in self.plan.hops[t.transaction_id]:
            self._hop(hop)
        transfers.end_out_leg(books, t, self.plan.implied_fee.get(t.transaction_id, ZERO))

    def _hop(self, hop: transfers.Hop) -> None:
        """Lots leave; inside a portfolio they arrive at once, else when the other leg is due."""
        if hop.is_released:
            return
        source = self.books[hop.out.portfolio_id]
        transfers.leave(source, hop)
        if hop.is_internal or hop.is_due:
            transfers.arrive(self.books[hop.into.portfolio_id], hop, source)

    def _is_available(self, books: Books, t: Transaction) -> bool:
        """Whether the source holds, or may borrow, what leaves; a bare date may come before its day's purchase."""
        hops = self.plan.hops[t.transaction_id]
        needed = total(hop.quantity for hop in hops if not hop.is_released)
        if not needed:
            return True
        position = books.position(t.account_id, t.instrument_id)
        if position.quantity < needed and position.incoming:
            books.pull(position, needed)
        is_borrowed = position.may_borrow and not t.is_date_only
        return is_borrowed or position.quantity >= needed - dust_limit(needed, None)

    def _retry(self, *, is_last: bool = False) -> None:
        for t in list(self.deferred):
            books = self.books[t.portfolio_id]
            if is_last or self._is_available(books, t):
                self.deferred.remove(t)
                self._transfer_out(books, t)
