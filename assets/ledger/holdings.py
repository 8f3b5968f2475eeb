"""What one portfolio holds: positions, and how units come and go.

Belongs here: receiving and releasing units, disposing of lots for a value, short positions and debt. Must not be
here: external flows and money (books), transaction types (trades, income, transfers), the end of the day (closing).

Each movement keeps `cost_change` and the entries in step, so that a mistake anywhere shows in `settle`.
"""

from datetime import date, datetime
from decimal import Decimal
from heapq import heappush

from assets.ledger.lots import Location, Lot, Pool, dust_limit
from assets.ledger.model import ONE, ZERO, DisposalRow, Portfolio, is_fiat, row_of
from assets.ledger.positions import Position, merge_parts
from assets.ledger.postings import Clock, Postings, total
from assets.ledger.price_book import Valuation


class Holdings(Postings):
    """The holdings of one portfolio at the clock's instant."""

    def __init__(self, portfolio: Portfolio, valuation: Valuation, clock: Clock) -> None:
        super().__init__(portfolio, clock)
        self.valuation = valuation
        self.base = portfolio.base_currency
        self.is_implicit = portfolio.cash_mode == "implicit"
        self.is_average = portfolio.cost_basis == "ACB"
        self.positions: dict[Location, Position] = {}
        #: (account, dividend) -> units that a dividend is paid on, weeks after its ex-date
        self.entitled: dict[tuple[str, str], Decimal] = {}
        #: positions that have changed since the last close, in the order of their first change
        self.dirty: dict[Position, None] = {}
        self.agenda: list[tuple[date, int, Position]] = []
        self._agenda_count = 0
        self._covers: dict[tuple[str, str], int] = {}
        self._pools: dict[tuple[str, str], tuple[Pool, list[Position]]] = {}

    # -- looking up ------------------------------------------------------------------------------------------------

    def position(self, account: str, instrument: str) -> Position:
        """The position, made if it is new."""
        found = self.positions.get((account, instrument))
        return self._open_position(account, instrument) if found is None else found

    def market(self, instrument: str, quantity: Decimal) -> Decimal | None:
        """Market value in base currency at the instant, or None; money on the first day of its rate has that close."""
        if instrument == self.base:
            return quantity
        unit = self.valuation.rate(instrument, self.clock.value_at)
        if unit is None and is_fiat(instrument):
            unit = self.valuation.rate(instrument, self.clock.close)
        return None if unit is None else unit * quantity

    def is_valued(self, instrument: str) -> bool:
        """Whether the instrument has a value at the close of the open day."""
        known_from = self.valuation.known_from(instrument)
        return known_from is not None and known_from <= self.clock.close

    def quote_rate(self, instrument: str) -> Decimal | None:
        """Rate of the quote currency to base now; on a series' first day that of the day's close."""
        rate = self.valuation.quote_rate(instrument, self.clock.value_at)
        return self.valuation.quote_rate(instrument, self.clock.close) if rate is None else rate

    def report_unvalued(self, instrument: str, account: str, what: str) -> None:
        """Warn that a price, or only the exchange rate of one, is missing at the event's instant."""
        at = self.clock.value_at
        has_price = self.valuation.book.price(instrument, at) is not None
        code, lacks = ("missing_fx", f"no exchange rate to {self.base}") if has_price else ("missing_price", "no price")
        message = f"{what} of {instrument} in account {account}: {lacks} at or before {at:%Y-%m-%d %H:%M:%S} UTC"
        self.issue(code, message, account, instrument, once=True)

    # -- units in and out ------------------------------------------------------------------------------------------

    def receive(
        self,
        account: str,
        instrument: str,
        quantity: Decimal,
        cost: Decimal | None,
        fx: Decimal | None = None,
        *,
        role: str = "",
        acquired_at: datetime | None = None,
        lot_id: str | None = None,
        is_missing: bool = False,
        can_count: bool = True,
    ) -> None:
        """Add units at a cost in base currency (None: unknown); covers a short position first.

        Args:
            account: where the units arrive.
            instrument: what arrives.
            quantity: units, > 0.
            cost: total cost in base currency.
            fx: rate of the quote currency to base if booked, else looked up.
            role: tells several lots of one transaction apart.
            acquired_at: date of the lot, default now.
            lot_id: default from the event.
            is_missing: the units were never seen coming in.
            can_count: False while no market value was known at this instant.
        """
        position = self.position(account, instrument)
        if position.is_base_cash:
            self.move_base_cash(position, quantity, acquired_at)
            return
        self.dirty[position] = None
        if position.is_fiat:
            fx = None if cost is None else cost / quantity
        elif fx is None:
            fx = self.quote_rate(instrument)
        if position.quantity < ZERO:
            quantity, cost = self._cover(position, quantity, cost, fx)
            if not quantity:
                return
        lot = Lot(
            lot_id or f"lot-{self.event_id}{role}",
            position.location,
            acquired_at or self.clock.at,
            quantity,
            cost,
            fx,
            self.source,
            is_missing=is_missing,
        )
        self._add(position, lot, can_count)

    def place(self, position: Position, lot: Lot, can_count: bool = True) -> None:
        """Put a lot, new or carried from elsewhere, into a position."""
        if position.quantity < ZERO or position.is_base_cash:
            account, instrument = position.location
            self.receive(
                account, instrument, lot.quantity, lot.cost, lot.fx, acquired_at=lot.acquired_at, lot_id=lot.lot_id
            )
            return
        self.dirty[position] = None
        self._add(position, lot, can_count)

    def move_base_cash(self, position: Position, change: Decimal, acquired_at: datetime | None = None) -> None:
        """Money in base currency costs what it is: no lots are needed."""
        before = position.quantity
        position.quantity += change
        if not before or (position.may_borrow and (before < ZERO) != (position.quantity < ZERO)):
            position.opened = (acquired_at or self.clock.at, self.event_id, self.source)
        self.cost_change += change
        self.dirty[position] = None

    def release(self, account: str, instrument: str, quantity: Decimal, *, is_transfer: bool = False) -> list[Lot]:
        """Take units out: lots chosen by the cost method, then a short lot or a missing one for what is not held.

        A remainder below the dust limit goes along, so that it leaves neither units nor cost behind.
        """
        position = self.position(account, instrument)
        self.dirty[position] = None
        if position.incoming and quantity > position.quantity:
            self.pull(position, quantity)
        if position.is_base_cash:
            self.move_base_cash(position, -quantity)
            lot_id = f"lot-{self.event_id}-money"
            return [Lot(lot_id, position.location, self.clock.at, quantity, quantity, ONE, self.source)]
        held = position.quantity if position.quantity >= ZERO else ZERO
        found, lacking = (held, quantity - held) if held <= quantity else (quantity, ZERO)
        if not position.is_fiat and held and abs(held - quantity) <= dust_limit(quantity, position.decimals):
            found, lacking = held, ZERO
        parts = position.pool.take(found, position.location, is_transfer=is_transfer) if found else []
        for part in parts:
            if part.is_counted and part.cost is not None:
                self.cost_change -= part.cost
            else:
                self.cross(account, instrument)
        position.quantity -= found
        if lacking > ZERO:
            parts.append(self._lacking(position, lacking))
        return parts

    def dispose(
        self,
        account: str,
        instrument: str,
        parts: list[Lot],
        proceeds: Decimal | None,
        fee: Decimal = ZERO,
        sale_fx: Decimal | None = None,
        role: str = "",
    ) -> Decimal | None:
        """Realise released lots for a value in base currency.

        With net proceeds n = q p1 x1 the currency part of the gain is q p1 (x1 - x0) = n (1 - x0/x1).

        Money has no price part and leaves no disposal row.

        Args:
            account: where the lots were.
            instrument: what they were of.
            parts: from `release`.
            proceeds: before the fee; None (no value known) counts as the known cost.
            fee: in base currency, lowers the gain; without proceeds that it could lower it is a `fee`.
            sale_fx: rate of the quote currency to base if booked, else looked up.
            role: tells several disposals of one transaction apart.

        Returns:
            the proceeds used, None if neither value nor cost is known.
        """
        if proceeds is None and any(part.is_counted and not part.is_missing and not part.is_short for part in parts):
            proceeds = total(part.cost for part in parts if part.cost is not None)
        if proceeds is None and fee:
            self.enter("fee", account, instrument, fee)
            fee = ZERO
        merged = merge_parts(parts)
        units = total(part.quantity for part in merged) if len(merged) > 1 else ONE  # one part takes all of it
        if sale_fx is None and (proceeds is None or not is_fiat(instrument)):  # money of known value needs none
            sale_fx = self.quote_rate(instrument)
        has_twins = len(merged) > 1 and len({part.lot_id for part in merged}) < len(merged)  # of one lot, one uncounted
        price_gain = currency_gain = ZERO
        left, fee_left = proceeds, fee
        for index, part in enumerate(merged):
            is_last = index == len(merged) - 1
            share = left if is_last or proceeds is None else proceeds * part.quantity / units
            fee_share = fee_left if is_last else fee * part.quantity / units
            left = None if left is None or share is None else left - share
            fee_left -= fee_share
            if part.is_short:
                self.open_short(account, instrument, part, None if share is None else share - fee_share, sale_fx)
                continue
            gain, of_currency = self._gain(part, share, fee_share, sale_fx, instrument)
            if gain is not None and of_currency is not None:
                price_gain += gain - of_currency
                currency_gain += of_currency
                if not part.is_counted:  # what it gained before it had a price is not of this portfolio
                    self.enter("carried_price", account, instrument, gain - of_currency)
                    self.enter("carried_currency", account, instrument, of_currency)
            if not is_fiat(instrument):
                row_role = f"{role}-uncounted" if has_twins and not part.is_counted else role
                self._disposal_row(account, instrument, part, share, fee_share, gain, of_currency, row_role)
        self.enter("realized_price", account, instrument, price_gain)
        self.enter("realized_currency", account, instrument, currency_gain)
        return proceeds

    def pull(self, position: Position, quantity: Decimal) -> None:
        """Carry out legs that bring units here, until there are enough: legs may be out of order within a day."""
        event_id, source = self.event_id, self.source
        while position.incoming and position.quantity < quantity:
            position.incoming.pop(0)()
        self.about(event_id, source)

    def release_positions(self) -> None:
        """Let go of what was held, once the results are taken: siblings know each other, which keeps them in memory."""
        for position in self.positions.values():
            position.siblings.clear()
        self.positions.clear()

    # -- details ---------------------------------------------------------------------------------------------------

    def _open_position(self, account: str, instrument: str) -> Position:
        book = self.valuation.book
        fiat = is_fiat(instrument)
        scope = "" if self.portfolio.lot_scope == "portfolio" and not fiat else account
        key = (scope, book.canonical(instrument))
        found = self._pools.get(key)
        if found is None:
            found = self._pools[key] = (Pool("ACB" if fiat else self.portfolio.cost_basis), [])
        position = Position(account, instrument, *found)
        position.siblings.append(position)
        position.is_base_cash = instrument == self.base
        position.may_borrow = fiat and account in self.portfolio.margin_accounts
        reference = book.instruments.get(instrument)
        position.decimals = reference.decimals if reference else None
        self.positions[position.location] = position
        return position

    def _add(self, position: Position, lot: Lot, can_count: bool) -> None:
        """Put a lot into a position that owes nothing."""
        lot.location = position.location
        lot.is_counted = can_count and lot.cost is not None and self.is_valued(position.instrument)
        if lot.is_counted and lot.fx is None:
            lot.fx = self.quote_rate(position.instrument)
        if lot.is_counted and lot.cost is not None:
            self.cost_change += lot.cost
        else:
            self._await_value(position)
        position.quantity += lot.quantity
        position.pool.add(lot)

    def _lacking(self, position: Position, quantity: Decimal) -> Lot:
        if position.is_fiat or self.portfolio.allow_short or position.is_observed:
            position.quantity -= quantity
            lot_id = f"short-{self.event_id}"
            return Lot(lot_id, position.location, self.clock.at, quantity, None, None, self.source, is_short=True)
        account, instrument = position.location
        message = (
            f"{quantity} {instrument} left account {account} on {self.clock.day} without ever having come in; "
            "they count at zero cost. Add the purchase, a DEPOSIT or an OPENING row"
        )
        self.issue("missing_acquisition", message, account, instrument)
        lot_id = f"missing-{self.event_id}"
        return Lot(lot_id, position.location, self.clock.at, quantity, ZERO, None, self.source, is_missing=True)

    def _await_value(self, position: Position) -> None:
        self.cross(position.account, position.instrument)
        known_from = self.valuation.known_from(position.instrument)
        if known_from is not None:
            self._agenda_count += 1
            heappush(self.agenda, (max(known_from.date(), self.clock.day), self._agenda_count, position))

    def _gain(
        self, part: Lot, share: Decimal | None, fee: Decimal, sale_fx: Decimal | None, instrument: str
    ) -> tuple[Decimal | None, Decimal | None]:
        if share is None:
            return None, None
        net = share - fee
        if part.cost is None:
            part.cost = net
        gain = net - part.cost
        if is_fiat(instrument):
            return gain, gain
        if part.fx is None or not sale_fx or part.fx == sale_fx:
            return gain, ZERO
        return gain, net - net * part.fx / sale_fx

    def open_short(
        self, account: str, instrument: str, part: Lot, net: Decimal | None, sale_fx: Decimal | None
    ) -> None:
        """Owe the units of a short lot against what was received for them (None: unknown), in base currency."""
        position = self.position(account, instrument)
        part.cost = net
        part.fx = net / part.quantity if position.is_fiat and net is not None else sale_fx
        part.is_counted = net is not None and part.fx is not None and self.is_valued(instrument)
        if part.is_counted and net is not None:
            self.cost_change -= net
        else:
            self._await_value(position)
        last = position.shorts[-1] if position.shorts else None
        is_joined = position.is_fiat or self.is_average or (last is not None and last.lot_id == part.lot_id)
        if last is not None and is_joined and last.is_counted == part.is_counted:
            last.absorb(part)
            return
        if last is not None and last.lot_id == part.lot_id:  # one event, with and without a value
            part.lot_id += "-uncounted"
        position.shorts.append(part)

    def _cover(
        self, position: Position, quantity: Decimal, cost: Decimal | None, fx: Decimal | None
    ) -> tuple[Decimal, Decimal | None]:
        """Close short lots, oldest first, with units that arrive; returns the units and the cost that remain."""
        account, instrument = position.location
        whole, whole_cost = quantity, cost
        while quantity > 0 and position.shorts:
            short = position.shorts[0]
            part = position.shorts.pop(0) if short.quantity <= quantity else short.split(quantity)
            paid = part.cost if whole_cost is None else whole_cost * part.quantity / whole
            quantity -= part.quantity
            cost = None if cost is None or paid is None else cost - paid
            position.quantity += part.quantity
            if whole_cost is None or not part.is_counted:
                self.cross(account, instrument)
            if part.is_counted and part.cost is not None:
                self.cost_change += part.cost
            else:
                part.cost = paid if part.cost is None else part.cost
            if paid is None or part.cost is None:
                continue
            gain = part.cost - paid
            of_currency = ZERO
            if position.is_fiat:
                of_currency = gain
            elif part.fx is not None and fx and part.fx != fx:
                of_currency = paid * part.fx / fx - paid
            self.enter("realized_price", account, instrument, gain - of_currency)
            self.enter("realized_currency", account, instrument, of_currency)
            if not part.is_counted:
                self.enter("carried_price", account, instrument, gain - of_currency)
                self.enter("carried_currency", account, instrument, of_currency)
            if not position.is_fiat:
                proceeds, part.cost = part.cost, paid
                role = f"-cover{self._cover_number(part.lot_id)}"
                self._disposal_row(account, instrument, part, proceeds, ZERO, gain, of_currency, role)
        return quantity, cost

    def _cover_number(self, lot_id: str) -> str:
        """Tells several covers of one short lot by one event apart (lots that arrive together)."""
        count = self._covers.get((self.event_id, lot_id), 0) + 1
        self._covers[self.event_id, lot_id] = count
        return "" if count == 1 else f"-{count}"

    def _disposal_row(
        self,
        account: str,
        instrument: str,
        part: Lot,
        proceeds: Decimal | None,
        fee: Decimal,
        gain: Decimal | None,
        of_currency: Decimal | None,
        role: str,
    ) -> None:
        clock = self.clock
        days = None if self.is_average or part.is_missing else (clock.day - part.acquired_at.date()).days
        fields = (
            self.portfolio_id,
            account,
            instrument,
            f"disposal-{self.event_id}{role}",
            part.lot_id,
            clock.at,
            clock.day,
            None if part.is_missing else part.acquired_at,
            part.quantity,
            proceeds,
            part.cost,
            fee,
            gain,
            of_currency,
            days,
            self.portfolio.cost_basis,
            part.is_missing,
            self.source,
        )
        self.disposals.append(row_of(DisposalRow, fields))
