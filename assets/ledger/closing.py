"""The end of a day and the end of the run for one portfolio's books.

Belongs here: first valuations that fall due, position rows by interval, the check for undeclared debt, open lots.
Must not be here: transactions.
"""

from datetime import date
from decimal import Decimal
from heapq import heappop

from assets.ledger.books import Books
from assets.ledger.lots import Location, Lot
from assets.ledger.model import ONE, ZERO, LotRow, PositionRow, row_of
from assets.ledger.positions import Position, State
from assets.ledger.postings import total
from assets.money_text import money_text

# Half a cent: the remainder of quantity x price in an export is no debt.
CASH_TOLERANCE = Decimal("0.005")


def close_day(books: Books) -> None:
    """End the clock's day: value what has its first price by now, then write the positions that changed."""
    day = books.clock.day
    while books.agenda and books.agenda[0][0] <= day:
        _value_first(books, heappop(books.agenda)[2])
    if not books.dirty:
        return
    changed = books.dirty
    books.dirty = {}
    for position in list(changed):
        if len(position.siblings) > 1:
            changed.update(dict.fromkeys(position.siblings))
    for position in changed:
        if position.is_fiat and position.quantity < ZERO:
            _check_debt(books, position)
        state = _state(position)
        if state != position.state:
            if position.state is not None:
                _append(books, position, position.state, day)
            position.state = state
            position.since = day


def finish(books: Books) -> None:
    """End the run: positions that are still open, and their lots."""
    for position in books.positions.values():
        if position.state is not None:
            _append(books, position, position.state, None)
        if position.is_base_cash:
            _write_base_cash(books, position)
        for lot in position.shorts:
            _write_lot(books, position.location, lot, -lot.quantity)
        if position is position.siblings[0]:
            _write_pool(books, position)


def _value_first(books: Books, position: Position) -> None:
    """Bring in at market value what was held before it had a price; a cost of its own stays the cost."""
    books.about(f"{position.account}:{position.instrument}:{books.clock.day}")
    for lot in position.pool.waiting():
        found = books.valuation.price_and_rate(lot.location[1], books.clock.close)
        if found is None:
            continue
        price, rate = found
        value = lot.quantity * price * rate
        cost = value if lot.cost is None else lot.cost
        fx = rate if lot.cost is None or lot.fx is None else lot.fx
        books.source = lot.source
        _flow_first(books, lot.location, value, cost, fx)
        position.pool.count_in(lot, cost, fx if not position.is_fiat else cost / lot.quantity)
        books.cost_change += cost
    for lot in position.shorts:
        found = None if lot.is_counted else books.valuation.price_and_rate(position.instrument, books.clock.close)
        if found is None:
            continue
        value = lot.quantity * found[0] * found[1]
        lot.cost = value if lot.cost is None else lot.cost
        lot.fx, lot.is_counted = lot.fx or found[1], True
        _flow_first(books, position.location, -value, -lot.cost, None)
        books.cost_change -= lot.cost
    books.dirty[position] = None
    books.settle()


def _flow_first(books: Books, location: Location, value: Decimal, cost: Decimal, fx: Decimal | None) -> None:
    account, instrument = location
    books.flow("first_valued", account, instrument, value)
    books.carry(account, instrument, value, cost, fx, 1)
    direction = "an inflow" if value >= ZERO else "an outflow"
    message = (
        f"{instrument} in account {account} was held before it had a price; it enters as {direction} of "
        f"{money_text(abs(value), books.base)} on {books.clock.day}, its first valued day"
    )
    books.issue("first_valued", message, account, instrument, once=True)


def _check_debt(books: Books, position: Position) -> None:
    if position.may_borrow or position.is_observed or position.is_reported or position.quantity >= -CASH_TOLERANCE:
        return
    position.is_reported = True
    account, instrument = position.location
    message = (
        f"account {account} owes {money_text(-position.quantity, instrument)} at the close of {books.clock.day}: "
        "add a DEPOSIT, or cash: implicit, or margin: true to the account where a broker or an exchange lends it"
    )
    books.about("", None)
    books.issue("negative_cash", message, account, instrument, hold=True)


def _held(position: Position) -> dict[Location, Decimal]:
    return {p.location: p.quantity for p in position.siblings if p.quantity > 0}


def _state(position: Position) -> State | None:
    """Quantity, quantity at the rates of acquisition and cost at this close; None while nothing is held."""
    quantity = position.quantity
    if not quantity:
        return None
    if position.is_base_cash:
        return quantity, quantity, quantity
    if quantity < ZERO:
        if any(not lot.is_counted for lot in position.shorts):
            return quantity, None, None
        cost = -total(lot.cost for lot in position.shorts if lot.cost is not None)
        at_fx = -total(lot.quantity * (lot.fx or ONE) for lot in position.shorts)
        return quantity, cost if position.is_fiat else at_fx, cost
    pool = position.pool
    held = _held(position) if len(position.siblings) > 1 else None
    if held is None or len(held) == 1:
        if pool.uncounted:
            return quantity, None, None
        return quantity, pool.cost if position.is_fiat else pool.quantity_at_fx, pool.cost
    cost = at_fx = ZERO
    for lot, place, units in pool.assign(held):
        if place != position.location:
            continue
        if not lot.is_counted:
            return quantity, None, None
        if lot.cost is not None and lot.fx is not None:
            cost += lot.cost * units / lot.quantity
            at_fx += lot.fx * units
    return quantity, at_fx, cost


def _append(books: Books, position: Position, state: State, end: date | None) -> None:
    quantity, at_fx, cost = state
    basis = "observed" if position.is_observed else "ledger"
    account, instrument = position.location
    fields = (books.portfolio_id, account, instrument, position.since, end, quantity, at_fx, cost, basis)
    books.positions_rows.append(row_of(PositionRow, fields))


def _write_base_cash(books: Books, position: Position) -> None:
    if not position.quantity or position.opened is None:
        return
    opened_at, event_id, source = position.opened
    kind = "short" if position.quantity < ZERO and position.may_borrow else "lot"
    lot = Lot(f"{kind}-{event_id}", position.location, opened_at, position.quantity, position.quantity, ONE, source)
    _write_lot(books, position.location, lot, position.quantity, position.quantity)


def _write_pool(books: Books, position: Position) -> None:
    lots = position.pool.lots
    if not lots or position.is_base_cash:
        return
    if len(lots) == 1 and len(position.siblings) == 1:  # the common case
        _write_lot(books, position.location, lots[0], lots[0].quantity)
        return
    held = _held(position)
    rows: dict[tuple[Location, str], tuple[Lot, Decimal, Decimal | None]] = {}
    for lot, place, units in position.pool.assign(held):
        cost = None if lot.cost is None else lot.cost if units == lot.quantity else lot.cost * units / lot.quantity
        first = rows.get((place, lot.lot_id))
        if first is not None:  # parts of one lot that met again in one place
            cost = None if cost is None or first[2] is None else cost + first[2]
            rows[place, lot.lot_id] = (first[0], first[1] + units, cost)
        else:
            rows[place, lot.lot_id] = (lot, units, cost)
    for (place, _), (lot, units, cost) in rows.items():
        _write_lot(books, place, lot, units, cost)


def _write_lot(books: Books, place: Location, lot: Lot, quantity: Decimal, cost: Decimal | None = None) -> None:
    if cost is None and lot.cost is not None:
        cost = -lot.cost if quantity < 0 else lot.cost
    fields = (
        books.portfolio_id,
        place[0],
        place[1],
        lot.lot_id,
        lot.acquired_at,
        quantity,
        None if cost is None else cost / quantity,
        cost,
        lot.fx,
        lot.source,
        lot.is_missing,
    )
    books.lots.append(row_of(LotRow, fields))
