"""External flows in kind and money, on top of what a portfolio holds.

Belongs here: units crossing the portfolio's border at market value, money paid and collected in both cash modes. Must
not be here: lots and pools (holdings, lots), transaction types (trades, income, transfers).
"""

from datetime import datetime
from decimal import Decimal

from assets.ledger.holdings import Holdings
from assets.ledger.lots import Lot
from assets.ledger.model import ZERO, is_fiat
from assets.ledger.postings import total


class Books(Holdings):
    """One portfolio's books, as the transaction handlers use them."""

    # -- flows in kind ---------------------------------------------------------------------------------------------

    def bring_in(
        self,
        kind: str,
        account: str,
        instrument: str,
        quantity: Decimal,
        cost: Decimal | None = None,
        fx: Decimal | None = None,
        *,
        acquired_at: datetime | None = None,
        lot_id: str | None = None,
        is_missing: bool = False,
    ) -> Decimal | None:
        """Units from outside: an inflow at market value; a cost of their own carries its gain or loss in.

        Returns:
            the inflow, None while it has no value.
        """
        value = self.market(instrument, quantity)
        if instrument == self.base:
            cost = value
        elif not self.is_valued(instrument):
            value = None
        elif value is None:
            value = cost or None
        if value is None:
            self.flow(kind, account, instrument, None)
            self.report_unvalued(instrument, account, f"{kind} of {quantity}")
            can_count = False
        else:
            self.flow(kind, account, instrument, value)
            can_count = True
            if cost is None:
                cost = value
            self.carry(account, instrument, value, cost, fx, 1)
        self.receive(
            account,
            instrument,
            quantity,
            cost,
            fx,
            acquired_at=acquired_at,
            lot_id=lot_id,
            is_missing=is_missing,
            can_count=can_count,
        )
        return value

    def send_out(self, kind: str, account: str, instrument: str, quantity: Decimal) -> tuple[Decimal | None, list[Lot]]:
        """Units to outside: an outflow at market value that realises nothing; their gain or loss is carried out.

        Returns:
            the outflow (None while it has no value) and the lots that left.
        """
        parts = self.release(account, instrument, quantity, is_transfer=True)
        moved = [part for part in parts if part.lot_id != f"missing-{self.event_id}"]
        units = total(part.quantity for part in moved)
        if not moved:
            return None, parts
        value = self.market(instrument, units)
        if value is None and all(part.is_counted and part.cost is not None for part in moved):
            value = total(part.cost for part in moved if part.cost is not None)
        if value is None:
            self.flow(kind, account, instrument, None)
            self.report_unvalued(instrument, account, f"{kind} of {quantity}")
            for part in moved:
                if part.is_short:
                    self.open_short(account, instrument, part, None, None)
            return None, parts
        self.flow(kind, account, instrument, -value)
        for part in moved:
            share = value * part.quantity / units
            if part.is_short:
                self.open_short(account, instrument, part, share, self.quote_rate(instrument))
            elif part.is_counted and part.cost is not None:
                self.carry(account, instrument, share, part.cost, part.fx, -1)
        return value, parts

    def carry(
        self, account: str, instrument: str, value: Decimal, cost: Decimal, fx: Decimal | None, sign: int
    ) -> None:
        """Enter the unrealised gain that comes in (+1) or goes out (-1) with units: value - cost in its two parts."""
        at_cost_fx = value
        now_fx = self.quote_rate(instrument)
        if is_fiat(instrument):
            at_cost_fx = cost
        elif fx is not None and now_fx and fx != now_fx:
            at_cost_fx = value * fx / now_fx
        self.enter("carried_price", account, instrument, sign * (at_cost_fx - cost))
        self.enter("carried_currency", account, instrument, sign * (value - at_cost_fx))

    # -- money -----------------------------------------------------------------------------------------------------

    def pay(
        self, account: str, currency: str, quantity: Decimal, value: Decimal | None, kind: str, role: str = ""
    ) -> Decimal | None:
        """Money leaves for something worth `value` in base currency; implicit cash comes from outside that moment.

        Returns:
            the value, or the money's cost where no value is known.
        """
        if quantity <= ZERO:
            return value
        if self.is_implicit and is_fiat(currency):
            self.flow(kind, account, currency, value)
            return value
        if currency == self.base:
            position = self.position(account, currency)
            if (
                position.quantity >= quantity or not position.incoming
            ):  # the common case: nothing to choose or to realise
                self.move_base_cash(position, -quantity)
                return quantity
        parts = self.release(account, currency, quantity)
        return self.dispose(account, currency, parts, value, role=role)

    def collect(
        self, account: str, currency: str, quantity: Decimal, value: Decimal | None, kind: str, role: str = "-money"
    ) -> None:
        """Money arrives for something worth `value` in base currency; implicit cash goes outside that moment."""
        if quantity < ZERO:
            self.pay(account, currency, -quantity, None if value is None else -value, kind)
        elif quantity and self.is_implicit and is_fiat(currency):
            self.flow(kind, account, currency, None if value is None else -value)
        elif quantity:
            if currency == self.base and value is not None and value != quantity:
                # base money is worth what it is: what a dealer's rate gives above the market's is a currency gain
                self.enter("realized_currency", account, currency, quantity - value)
                value = quantity
            self.receive(account, currency, quantity, value, role=role)

    def charge(self, account: str, instrument: str, quantity: Decimal, role: str) -> Decimal:
        """Pay a charge in money or in an asset, which is then a disposal at market value.

        Returns:
            its value in base currency; where no price is known, the cost of what was given away.
        """
        value = self.market(instrument, quantity)
        if value is None:
            self.report_unvalued(instrument, account, f"a charge of {quantity}")
        return self.pay(account, instrument, quantity, value, "fee_paid", role) or ZERO
