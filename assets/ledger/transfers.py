"""Legs that belong together: transfers between own accounts, and swaps.

Belongs here: matching legs by `group_id`, sharing quantities out over several legs, carrying lots from account to
account, wrapping inside one canonical instrument. Must not be here: the order of time (engine), the value of a swap
(trades).

Lots travel with their cost and date. What leaves and does not arrive is a network fee: a disposal at market value.
Between two portfolios of one user each side is an external flow at market value of its own moment, and cost and date
travel all the same.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import time
from decimal import Decimal

from assets.ledger.books import Books
from assets.ledger.lots import Lot, dust_limit, round_units
from assets.ledger.model import ZERO, Transaction, end_of_day, is_fiat
from assets.ledger.postings import total
from assets.ledger.price_book import Valuation
from assets.ledger.trades import third_fee

Canonical = Callable[[str], str]

_LEGS = frozenset({"TRANSFER_IN", "TRANSFER_OUT", "SWAP_IN", "SWAP_OUT"})


@dataclass(slots=True, eq=False)
class Hop:
    """A quantity on its way from one out leg to one in leg."""

    out: Transaction
    into: Transaction
    quantity: Decimal
    in_transit: list[Lot] = field(default_factory=list)
    is_due: bool = False
    is_released: bool = False
    is_placed: bool = False

    @property
    def is_internal(self) -> bool:
        """Whether both ends are in one portfolio."""
        return self.out.portfolio_id == self.into.portfolio_id


@dataclass(slots=True)
class Plan:
    """What the legs of a user come to.

    Attributes:
        hops: by transaction id of the out leg and of the in leg.
        implied_fee: units that left by an out leg and arrived nowhere, by its transaction id.
        excess: units that arrived by an in leg and left nowhere.
        told_fees: in legs whose stated fee is what was lost on the way, already counted there.
        unmatched: legs without another side.
        swaps: by transaction id of each leg, the out legs and the in legs of its swap.
    """

    hops: dict[str, list[Hop]] = field(default_factory=lambda: defaultdict(list))
    implied_fee: dict[str, Decimal] = field(default_factory=dict)
    excess: dict[str, Decimal] = field(default_factory=dict)
    told_fees: set[str] = field(default_factory=set)
    unmatched: set[str] = field(default_factory=set)
    swaps: dict[str, tuple[list[Transaction], list[Transaction]]] = field(default_factory=dict)


def make_plan(transactions: Iterable[Transaction], canonical: Canonical) -> Plan:
    """Match the transfer and swap legs of one user's transactions."""
    plan = Plan()
    transfers: dict[tuple[str, str], list[Transaction]] = defaultdict(list)
    swaps: dict[tuple[str, str], list[Transaction]] = defaultdict(list)
    for t in transactions:
        if t.type not in _LEGS:
            continue
        if t.type in ("TRANSFER_IN", "TRANSFER_OUT"):
            if t.group_id is None:
                plan.unmatched.add(t.transaction_id)
            else:
                transfers[t.group_id, canonical(t.instrument_id)].append(t)
        else:
            swaps[t.portfolio_id, t.group_id or t.transaction_id].append(t)
    for legs in transfers.values():
        for group in _groups(legs):
            _match(plan, group)
    for legs in swaps.values():
        outs = [t for t in legs if t.type == "SWAP_OUT"]
        ins = [t for t in legs if t.type == "SWAP_IN"]
        if outs and ins:
            plan.swaps.update((t.transaction_id, (outs, ins)) for t in legs)
        else:
            plan.unmatched.update(t.transaction_id for t in legs)
    return plan


def wraps(outs: list[Transaction], ins: list[Transaction], canonical: Canonical) -> bool:
    """Whether a swap only changes the form of one canonical instrument; money has no forms."""
    return not is_fiat(outs[0].instrument_id) and len({canonical(t.instrument_id) for t in (*outs, *ins)}) == 1


def carry(books: Books, outs: list[Transaction], ins: list[Transaction]) -> None:
    """Wrap: lots go over from the given to the received form, cost and dates unchanged."""
    given, received = total(t.quantity for t in outs), total(t.quantity for t in ins)
    lots: list[Lot] = []
    for t in outs:
        books.about(t.transaction_id, t.transaction_id)
        lots += _release(books, t, t.quantity)
        books.record(t, books.market(t.instrument_id, t.quantity), _leg_fee(books, t))
    if given != received:
        left = received
        for lot in lots[:-1]:
            lot.quantity = round_units(lot.quantity * received / given)
            left -= lot.quantity
        lots[-1].quantity = left  # the exact rest
    for t in ins:
        books.about(t.transaction_id, t.transaction_id)
        is_last = t is ins[-1]
        for lot in lots if is_last else _draw(lots, t.quantity):
            _place(books, t, lot)
        books.record(t, books.market(t.instrument_id, t.quantity), _leg_fee(books, t))


def leave(books: Books, hop: Hop) -> None:
    """The first half of a hop: lots leave the source."""
    t = hop.out
    hop.is_released = True
    books.about(t.transaction_id, t.transaction_id)
    if books.is_implicit and is_fiat(t.instrument_id):
        return
    if hop.is_internal:
        hop.in_transit = _release(books, t, hop.quantity)
    else:
        _, lots = books.send_out("transfer_out", t.account_id, t.instrument_id, hop.quantity)
        hop.in_transit = [lot for lot in lots if not lot.is_short]


def arrive(books: Books, hop: Hop, source: Books) -> None:
    """The second half of a hop: lots reach the destination, with cost and dates."""
    t = hop.into
    hop.is_placed = True
    books.about(t.transaction_id, t.transaction_id)
    if books.is_implicit and is_fiat(t.instrument_id):
        return
    lots, hop.in_transit = hop.in_transit, []
    if hop.is_internal:
        for lot in lots:
            _place(books, t, lot)
        return
    arrived = total(lot.quantity for lot in lots)
    for lot in lots:
        cost, fx = _rebase(lot, source, books)
        books.bring_in(
            "transfer_in",
            t.account_id,
            t.instrument_id,
            lot.quantity,
            cost,
            fx,
            acquired_at=lot.acquired_at,
            lot_id=lot.lot_id,
            is_missing=lot.is_missing,
        )
    if hop.quantity - arrived > dust_limit(hop.quantity, None):  # borrowed, or money from a portfolio that holds none
        books.bring_in("transfer_in", t.account_id, t.instrument_id, hop.quantity - arrived)


def end_out_leg(books: Books, t: Transaction, lost: Decimal) -> None:
    """After an out leg's hops: its fee, and what was lost on the way."""
    books.about(t.transaction_id, t.transaction_id)
    stated = t.fee or ZERO
    fee_base = ZERO
    if lost and not (books.is_implicit and is_fiat(t.instrument_id)):
        fee_base += books.charge(t.account_id, t.instrument_id, lost, "-lost")
    if stated and t.charged_in == t.instrument_id and lost:
        stated = max(stated - lost, ZERO) if lost < stated else ZERO  # the stated fee is what was lost
    if stated:
        fee_base += third_fee(books, t, stated)
    books.enter("fee", t.account_id, t.instrument_id, fee_base)
    books.record(t, books.market(t.instrument_id, t.quantity), fee_base)


def end_in_leg(books: Books, t: Transaction, excess: Decimal, *, is_fee_told: bool = False) -> None:
    """After an in leg's hops: its fee unless it is told already, and what arrived without having left."""
    books.about(t.transaction_id, t.transaction_id)
    if excess and not (books.is_implicit and is_fiat(t.instrument_id)):
        books.bring_in("transfer_in", t.account_id, t.instrument_id, excess)
        _warn_unmatched(books, t, f"{excess} more arrived than left")
    fee_base = ZERO if is_fee_told else _leg_fee(books, t)
    books.record(t, books.market(t.instrument_id, t.quantity), fee_base)


def unmatched(books: Books, t: Transaction) -> None:
    """A leg without another side is an external flow at market value and an issue."""
    is_in = t.type.endswith("_IN")
    if books.is_implicit and is_fiat(t.instrument_id):
        value = books.market(t.instrument_id, t.quantity)
    elif is_in:
        value = books.bring_in("transfer_in", t.account_id, t.instrument_id, t.quantity)
    else:
        value, _ = books.send_out("transfer_out", t.account_id, t.instrument_id, t.quantity)
    _warn_unmatched(books, t, f"no leg with group_id {t.group_id or '(none)'} is on the other side")
    books.record(t, value, _leg_fee(books, t))


def _groups(legs: list[Transaction]) -> list[list[Transaction]]:
    """Split the legs of one group by portfolio where each portfolio has both sides, else keep them together."""
    by_portfolio: dict[str, list[Transaction]] = defaultdict(list)
    for t in legs:
        by_portfolio[t.portfolio_id].append(t)
    if all(len({t.type for t in own}) == 2 for own in by_portfolio.values()):
        return list(by_portfolio.values())
    return [legs]


def _match(plan: Plan, legs: list[Transaction]) -> None:
    outs = [t for t in legs if t.type == "TRANSFER_OUT"]
    ins = [t for t in legs if t.type == "TRANSFER_IN"]
    if not outs or not ins:
        plan.unmatched.update(t.transaction_id for t in legs)
        return
    needs = [t.quantity for t in ins]
    index = 0
    for out in outs:
        left = out.quantity
        plan.hops.setdefault(out.transaction_id, [])
        while left > 0 and index < len(ins):
            part = min(left, needs[index])
            hop = Hop(out, ins[index], part)
            plan.hops[out.transaction_id].append(hop)
            plan.hops[ins[index].transaction_id].append(hop)
            left -= part
            needs[index] -= part
            if not needs[index]:
                index += 1
        if left > dust_limit(out.quantity, None):
            plan.implied_fee[out.transaction_id] = left
    for into, need in zip(ins, needs, strict=True):
        if need > dust_limit(into.quantity, None):
            plan.excess[into.transaction_id] = need
    lost = total(plan.implied_fee.get(t.transaction_id, ZERO) for t in outs)
    stated = total(t.fee or ZERO for t in ins if t.charged_in == t.instrument_id)
    if lost and abs(lost - stated) <= dust_limit(lost, None):
        plan.told_fees.update(t.transaction_id for t in ins if t.charged_in == t.instrument_id)


def _release(books: Books, t: Transaction, quantity: Decimal) -> list[Lot]:
    """Lots leave an account inside the portfolio; what is not held is borrowed, or missing at zero cost."""
    account, instrument = t.account_id, t.instrument_id
    parts = books.release(account, instrument, quantity, is_transfer=True)
    for part in parts:
        if part.is_short:
            cost = books.market(instrument, part.quantity)
            borrowed = Lot(
                part.lot_id, part.location, part.acquired_at, part.quantity, None, None, part.source, is_short=True
            )
            books.dispose(account, instrument, [borrowed], cost)
            part.is_short = False
            part.cost = cost
            part.fx = books.quote_rate(instrument)
        elif part.lot_id == f"missing-{t.transaction_id}":
            value = books.market(instrument, part.quantity)
            part.is_counted = value is not None and books.is_valued(instrument)
            books.flow("transfer_in", account, instrument, value if part.is_counted else None)
            if part.is_counted and value is not None:
                books.carry(account, instrument, value, ZERO, None, 1)
    return parts


def _place(books: Books, t: Transaction, lot: Lot) -> None:
    valuation = books.valuation
    given, quote = valuation.quote(lot.location[1]), valuation.quote(t.instrument_id)
    if quote != given and quote is not None and lot.fx is not None and not is_fiat(t.instrument_id):
        # the received form is priced in another currency, and that one's rate at acquisition parts its gain
        lot.fx = _rate_at_acquisition(valuation, quote, lot) or books.quote_rate(t.instrument_id)
    books.place(books.position(t.account_id, t.instrument_id), lot, can_count=lot.is_counted)


def _rate_at_acquisition(valuation: Valuation, currency: str, lot: Lot) -> Decimal | None:
    """Rate of a currency to base when the lot came in; a bare date, kept as midnight, has the rate of its close."""
    at = lot.acquired_at
    return valuation.rate(currency, end_of_day(at.date()) if at.time() == time.min else at)


def _rebase(lot: Lot, source: Books, books: Books) -> tuple[Decimal | None, Decimal | None]:
    """Cost and rate of a lot in another portfolio's base currency, at the rate of its acquisition, else of now."""
    if source.base == books.base or lot.cost is None:
        return lot.cost, lot.fx
    rate = _rate_at_acquisition(books.valuation, source.base, lot)
    rate = rate or books.valuation.rate(source.base, books.clock.value_at)
    if rate is None:
        return None, None
    return lot.cost * rate, None if lot.fx is None else lot.fx * rate


def _draw(lots: list[Lot], quantity: Decimal) -> list[Lot]:
    """Take a quantity from the front of a list of lots."""
    drawn: list[Lot] = []
    while lots and quantity > 0:
        part = lots.pop(0) if lots[0].quantity <= quantity else lots[0].split(quantity)
        quantity -= part.quantity
        drawn.append(part)
    return drawn


def _leg_fee(books: Books, t: Transaction) -> Decimal:
    if not t.fee:
        return ZERO
    fee_base = third_fee(books, t, t.fee)
    books.enter("fee", t.account_id, t.instrument_id, fee_base)
    return fee_base


def _warn_unmatched(books: Books, t: Transaction, why: str) -> None:
    code = "unmatched_swap" if t.type.startswith("SWAP") else "unmatched_transfer"
    message = (
        f"{t.type} of {t.quantity} {t.instrument_id} in account {t.account_id} on {books.clock.day}: {why}; "
        "it counts as an external flow. Give both legs one group_id, or use DEPOSIT and WITHDRAWAL"
    )
    books.issue(code, message, t.account_id, t.instrument_id)
