"""One thing given for another: the canonical rows of a trade, whatever product told of it.

Belongs here: which of BUY, SELL or the legs of a SWAP a trade is, and where its fees go. Must not be here: columns.
"""

from dataclasses import dataclass
from decimal import Decimal

from assets.importers.delimited import is_fiat, plain, plain_or_empty

_ZERO = Decimal(0)


@dataclass(frozen=True)
class Leg:
    """One side of a trade.

    Attributes:
        instrument: its id.
        quantity: above 0, before any fee.
        fee: paid in the same instrument, 0 or more.
    """

    instrument: str
    quantity: Decimal
    fee: Decimal = _ZERO


def trade_rows(
    given: Leg, received: Leg, common: dict[str, str], external_id: str, fees: tuple[Leg, ...] = ()
) -> list[dict[str, str]]:
    """The rows of a trade: a purchase with money, a sale for money, else a swap's two legs, given first.

    Args:
        given: what left.
        received: what came.
        common: values that all rows share, such as `executed_at` and `note`.
        external_id: of a purchase or sale; `-out` and `-in` are appended for legs, `-fee` for charges of their own.
        fees: further fees in third instruments, as legs whose quantity is the fee.
    """
    common = {**common}
    charged = [(leg.fee, leg.instrument) for leg in (given, received)] + [
        (leg.quantity, leg.instrument) for leg in fees
    ]
    charged = [(fee, instrument) for fee, instrument in charged if fee > 0]
    if is_fiat(given.instrument) or is_fiat(received.instrument):
        is_purchase = is_fiat(given.instrument)
        asset, money = (received, given) if is_purchase else (given, received)
        first = charged.pop(0) if charged else (_ZERO, "")
        row = {
            "type": "BUY" if is_purchase else "SELL",
            "instrument": asset.instrument,
            "quantity": plain(asset.quantity),
            "amount": plain(money.quantity),
            "currency": money.instrument,
            "external_id": external_id,
        }
        rows = [common | row | _fee(*first)]
    else:
        own = [leg.fee for leg in (given, received)]
        charged = [(leg.quantity, leg.instrument) for leg in fees if leg.quantity > 0]
        first = charged.pop(0) if charged and not own[0] else (own[0], given.instrument)
        rows = [
            common | swap_leg("SWAP_OUT", given, external_id, f"{external_id}-out") | _fee(*first),
            common | swap_leg("SWAP_IN", received, external_id, f"{external_id}-in"),
        ]
    for index, (fee, instrument) in enumerate(charged, 1):
        suffix = "-fee" if index == 1 else f"-fee{index}"
        charge = {"type": "FEE", "instrument": instrument, "quantity": plain(fee)}
        rows.append(common | charge | {"external_id": external_id + suffix})
    return rows


def swap_leg(kind: str, leg: Leg, group: str, external_id: str) -> dict[str, str]:
    """One leg of a swap with its own fee; a leg of money says by its amount what the swap is worth."""
    row = {"type": kind, "instrument": leg.instrument, "quantity": plain(leg.quantity), "group_id": group}
    if is_fiat(leg.instrument):
        row |= {"amount": plain(leg.quantity), "currency": leg.instrument}
    return row | _fee(leg.fee, leg.instrument) | {"external_id": external_id}


def _fee(fee: Decimal, instrument: str) -> dict[str, str]:
    return {"fee": plain_or_empty(fee), "fee_currency": instrument if fee else ""}
