"""Lots and the pools they are taken from.

Belongs here: adding, choosing (FIFO, LIFO, HIFO, average cost), splitting and scaling lots, and the pool's running
totals. Must not be here: prices, flows, gains, anything that knows what kind of event happens.

A lot is *counted* when its cost is part of the total cost of what the portfolio can value. A lot of an instrument
that has had no price yet waits uncounted; its cost may be unknown (None). A counted lot always has a cost and a rate
at acquisition.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from datetime import datetime
from decimal import Decimal

from assets.ledger.model import LEDGER_CONTEXT, ONE, ZERO

Location = tuple[str, str]
"""Account and instrument."""

# What a disposal leaves and is smaller than this share of it counts as nothing (a rounding remainder of an export).
RELATIVE_DUST = Decimal("1E-12")
# From six decimals on, less than one unit cannot exist; for shares, decimals only tell how a quantity is printed.
MIN_CHAIN_DECIMALS = 6

_UNRANKED: tuple[Decimal, float] = (ZERO, 0.0)


def dust_limit(quantity: Decimal, decimals: int | None) -> Decimal:
    """The remainder that counts as flat beside `quantity`; both in units of the instrument."""
    limit = abs(quantity) * RELATIVE_DUST
    if decimals is not None and decimals >= MIN_CHAIN_DECIMALS:
        unit = ONE.scaleb(-decimals)
        return max(limit, unit * Decimal("0.5"))
    return limit


def round_units(quantity: Decimal) -> Decimal:
    """Units after a multiplication or division, on a grid of 1e-30, on which sums of lots are exact."""
    places = min(30, LEDGER_CONTEXT.prec - 1 - max(quantity.adjusted(), 0))
    return round(quantity, places)


class Lot:
    """A quantity acquired at one moment at one cost; also a part of one, on its way from here to there.

    Attributes:
        quantity: units, > 0 (also of a short lot).
        cost: cost in base currency; of a short lot what was received for it; None if unknown.
        fx: rate of the instrument's quote currency to base at acquisition.
        is_missing: what was given away without ever having come in.
        is_short: opened by a sale of what was not held.
    """

    __slots__ = (
        "acquired_at",
        "cost",
        "fx",
        "is_counted",
        "is_missing",
        "is_short",
        "location",
        "lot_id",
        "quantity",
        "rank",
        "source",
    )

    def __init__(
        self,
        lot_id: str,
        location: Location,
        acquired_at: datetime,
        quantity: Decimal,
        cost: Decimal | None,
        fx: Decimal | None,
        source: str | None,
        is_counted: bool = True,
        is_missing: bool = False,
        is_short: bool = False,
    ) -> None:
        self.lot_id = lot_id
        self.location = location
        self.acquired_at = acquired_at
        self.quantity = quantity
        self.cost = cost
        self.fx = fx
        self.source = source
        self.is_counted = is_counted
        self.is_missing = is_missing
        self.is_short = is_short
        self.rank = _UNRANKED

    def split(self, quantity: Decimal) -> "Lot":
        """Take a part out of this lot; cost goes along in proportion and what stays keeps the exact rest."""
        cost = None if self.cost is None else self.cost * quantity / self.quantity
        part = Lot(
            self.lot_id,
            self.location,
            self.acquired_at,
            quantity,
            cost,
            self.fx,
            self.source,
            self.is_counted,
            self.is_missing,
            self.is_short,
        )
        self.quantity -= quantity
        if cost is not None and self.cost is not None:
            self.cost -= cost
        return part

    def absorb(self, other: "Lot") -> None:
        """Merge another lot into this one at the average of cost and of rate, keeping the earlier date."""
        total = self.quantity + other.quantity
        if self.fx is not None and other.fx is not None and self.fx != other.fx:
            self.fx = (self.quantity * self.fx + other.quantity * other.fx) / total
        self.cost = None if self.cost is None or other.cost is None else self.cost + other.cost
        self.quantity = total
        self.is_missing = self.is_missing or other.is_missing
        if other.acquired_at < self.acquired_at:
            self.acquired_at = other.acquired_at


class Pool:
    """The lots among which a disposal chooses, of one canonical instrument in one account or in one portfolio.

    Attributes:
        cost: sum of cost over counted lots, base currency.
        quantity_at_fx: sum of quantity x rate at acquisition over counted lots.
        uncounted: number of lots that wait for a first price.
    """

    __slots__ = ("cost", "locations", "lots", "method", "quantity_at_fx", "uncounted")

    def __init__(self, method: str) -> None:
        self.method = method
        self.lots: list[Lot] = []
        self.locations: list[Location] = []
        self.cost = ZERO
        self.quantity_at_fx = ZERO
        self.uncounted = 0

    def add(self, lot: Lot) -> None:
        """Put a lot in, in the order in which the method takes lots out."""
        self._count(lot, 1)
        self._place(lot)

    def take(self, quantity: Decimal, location: Location, *, is_transfer: bool = False) -> list[Lot]:
        """Take lots out by the method; for a transfer, those of the place that they leave first.

        While some form of the asset waits for its first price, each form keeps to its own lots: one that can be valued
        must not be left with a lot that cannot be.

        Args:
            quantity: units, at most what the pool holds.
            location: the place that the lots leave.
            is_transfer: lots of that place come first.
        """
        taken: list[Lot] = []
        if len(self.locations) > 1:
            chosen: list[Lot] = []
            if self.uncounted and any(instrument != location[1] for _, instrument in self.locations):
                chosen = sorted(self._ordered(), key=lambda lot: (lot.location[1] != location[1], not lot.is_counted))
            if is_transfer:
                chosen = [lot for lot in self._ordered() if lot.location == location] + chosen
            quantity -= self._take(quantity, dict.fromkeys(chosen), taken)
        while quantity > ZERO and self.lots:
            index = 0 if self.method in ("FIFO", "ACB") else -1
            lot = self.lots[index]
            if lot.quantity <= quantity:
                del self.lots[index]
                part = lot
            else:
                part = lot.split(quantity)
            quantity -= part.quantity
            self._count(part, -1, is_whole=part is lot)
            taken.append(part)
        if not self.lots:
            self.cost = self.quantity_at_fx = ZERO
        return taken

    def waiting(self) -> list[Lot]:
        """The lots that wait for a first price."""
        return [lot for lot in self.lots if not lot.is_counted] if self.uncounted else []

    def count_in(self, lot: Lot, cost: Decimal, fx: Decimal) -> None:
        """Give a waiting lot its cost and rate and count it from now on."""
        self.lots.remove(lot)
        self.uncounted -= 1
        lot.cost, lot.fx, lot.is_counted = cost, fx, True
        self.add(lot)

    def scale(self, location: Location, ratio: Decimal, held: dict[Location, Decimal]) -> Decimal:
        """Multiply the quantities of one location by a split's ratio; cost stays.

        Args:
            location: where the split acts.
            ratio: new units for one old unit.
            held: quantity by location before the split, > 0.

        Returns:
            the location's units after it, exactly the sum of its lots.
        """
        scaled = ZERO
        if len(held) <= 1:
            for lot in self.lots:
                lot.quantity = round_units(lot.quantity * ratio)
                scaled += lot.quantity
            self.quantity_at_fx = sum((lot.quantity * lot.fx for lot in self.lots if lot.is_counted and lot.fx), ZERO)
            self._rerank()
            return scaled
        parts = list(self.assign(held))
        if self.method == "ACB":
            for lot, place, quantity in parts:
                if place == location:
                    grown = round_units(quantity * (ratio - 1))
                    lot.quantity += grown
                    scaled += quantity + grown
                    if lot.is_counted and lot.fx is not None:
                        self.quantity_at_fx += grown * lot.fx
            return scaled
        self.lots = []
        self.cost = self.quantity_at_fx = ZERO
        self.uncounted = 0
        for lot, place, quantity in parts:
            part = lot if quantity == lot.quantity else lot.split(quantity)
            part.location = place
            if place == location:
                part.quantity = round_units(part.quantity * ratio)
                scaled += part.quantity
            self.add(part)
        return scaled

    def assign(self, held: dict[Location, Decimal]) -> Iterator[tuple[Lot, Location, Decimal]]:
        """Share the lots out over the places that hold the units: at its own place first, then where there is room.

        Args:
            held: quantity by location, > 0, together what the pool holds.

        Yields:
            lot, place, units of the lot there.
        """
        if len(held) == 1:
            place = next(iter(held))
            yield from ((lot, place, lot.quantity) for lot in self.lots)
            return
        room = dict(held)
        shared: list[tuple[Lot, Location, Decimal]] = []
        left: list[tuple[Lot, Decimal]] = []
        for lot in self._ordered():
            there = min(room.get(lot.location, ZERO), lot.quantity)
            if there > 0:
                room[lot.location] -= there
                shared.append((lot, lot.location, there))
            if there < lot.quantity:
                left.append((lot, lot.quantity - there))
        for lot, quantity in left:
            rest = quantity
            for place in sorted(room):
                part = min(room[place], rest)
                if part > 0:
                    room[place] -= part
                    rest -= part
                    shared.append((lot, place, part))
        yield from shared

    def _take(self, quantity: Decimal, chosen: Iterable[Lot], taken: list[Lot]) -> Decimal:
        done = ZERO
        for lot in chosen:
            rest = quantity - done
            if rest <= 0:
                break
            if lot.quantity <= rest:
                self.lots.remove(lot)
                part = lot
            else:
                part = lot.split(rest)
            done += part.quantity
            self._count(part, -1, is_whole=part is lot)
            taken.append(part)
        return done

    def _ordered(self) -> list[Lot]:
        return list(self.lots) if self.method in ("FIFO", "ACB") else self.lots[::-1]

    def _count(self, lot: Lot, sign: int, is_whole: bool = True) -> None:
        if not lot.is_counted:
            self.uncounted += sign if is_whole else 0
            return
        assert lot.cost is not None  # noqa: S101 (what `counted` means)
        assert lot.fx is not None  # noqa: S101
        if sign > 0:
            self.cost += lot.cost
            self.quantity_at_fx += lot.quantity * lot.fx
        else:
            self.cost -= lot.cost
            self.quantity_at_fx -= lot.quantity * lot.fx

    def _place(self, lot: Lot) -> None:
        if lot.location not in self.locations:
            self.locations.append(lot.location)
        if self.method == "ACB":
            self._place_average(lot)
            return
        lots = self.lots
        if self.method == "HIFO":
            lot.rank = _cost_rank(lot)
            # before its equals: what came in first is taken first
            index = bisect_left(lots, lot.rank, key=lambda other: other.rank)
        elif not lots or lots[-1].acquired_at <= lot.acquired_at:
            index = len(lots)
        else:
            index = bisect_right(lots, lot.acquired_at, key=lambda other: other.acquired_at)
        # a lot that comes back from another account joins the rest of itself
        for neighbour in lots[index - 1 if index else 0 : index + 1]:
            if _is_same_lot(neighbour, lot):
                neighbour.absorb(lot)
                return
        lots.insert(index, lot)

    def _place_average(self, lot: Lot) -> None:
        if lot.is_counted and self.lots and self.lots[0].is_counted:
            self.lots[0].absorb(lot)
        elif lot.is_counted:
            self.lots.insert(0, lot)
        else:
            self.lots.append(lot)

    def _rerank(self) -> None:
        if self.method == "HIFO":
            for lot in self.lots:
                lot.rank = _cost_rank(lot)


def _cost_rank(lot: Lot) -> tuple[Decimal, float]:
    """Highest unit cost last, of equal ones the oldest last; an unknown cost is taken after all others."""
    unit_cost = Decimal(-1) if lot.cost is None else lot.cost / lot.quantity
    return unit_cost, -lot.acquired_at.timestamp()


def _is_same_lot(one: Lot, other: Lot) -> bool:
    return (
        one.lot_id == other.lot_id
        and one.location == other.location
        and one.is_counted
        and other.is_counted
        and one.fx == other.fx
        and one.acquired_at == other.acquired_at
    )
