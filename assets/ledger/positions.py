"""A position: units of one instrument in one account, and where its lots are.

Belongs here: the record and what is done to released lots alone. Must not be here: movements (holdings), prices.
"""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal

from assets.ledger.lots import Location, Lot, Pool
from assets.ledger.model import ZERO, is_fiat

State = tuple[Decimal, Decimal | None, Decimal | None]


class Position:
    """Units of one instrument in one account.

    Attributes:
        siblings: the positions that share the pool, this one included.
        shorts: lots opened by sales of what was not held (for money: the debt).
        may_borrow: money of a margin account: what it owes is declared.
        incoming: legs that bring units here and have not been carried out yet; run when units are short.
        state: what the last row of the position says, valid from `since`.
    """

    __slots__ = (
        "account",
        "decimals",
        "incoming",
        "instrument",
        "is_base_cash",
        "is_fiat",
        "is_observed",
        "is_reported",
        "location",
        "may_borrow",
        "opened",
        "pool",
        "quantity",
        "shorts",
        "siblings",
        "since",
        "state",
    )

    def __init__(self, account: str, instrument: str, pool: Pool, siblings: "list[Position]") -> None:
        self.account = account
        self.instrument = instrument
        self.location: Location = (account, instrument)
        self.pool = pool
        self.siblings = siblings
        self.quantity = ZERO
        self.shorts: list[Lot] = []
        self.is_fiat = is_fiat(instrument)
        self.is_base_cash = False
        self.is_observed = False
        self.is_reported = False
        self.may_borrow = False
        self.decimals: int | None = None
        self.incoming: list[Callable[[], None]] = []
        self.opened: tuple[datetime, str, str | None] | None = None
        self.state: State | None = None
        self.since = date.min


def merge_parts(parts: list[Lot]) -> list[Lot]:
    """Join parts of one lot, so that a disposal has one row for each lot."""
    if len(parts) < 2:
        return parts
    merged: dict[tuple[str, bool], Lot] = {}
    for part in parts:
        first = merged.get((part.lot_id, part.is_counted))
        if first is None:
            merged[part.lot_id, part.is_counted] = part
        else:
            first.absorb(part)
    return list(merged.values())
