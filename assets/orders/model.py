"""What an order is, from the suggestion to the broker's word on it, as plain values.

Belongs here: shapes that several modules of the room share. Must not be here: SQL, requests.
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

#: It may have reached the broker; it has not (then it may be sent again under the same id).
PENDING, REFUSED = "pending", "refused"
#: After these nothing happens to an order any more (docs.alpaca.markets, "Orders at Alpaca", lifecycle).
FINAL = frozenset({REFUSED, "filled", "canceled", "expired", "rejected", "replaced"})


@dataclass(frozen=True)
class PlannedOrder:
    """A suggestion as an order for somebody; `quantity` > 0 in units, `value_usd` None: no rate to USD."""

    client_order_id: str
    portfolio_id: str
    instrument_id: str
    side: str
    quantity: Decimal
    value_usd: Decimal | None
    publication_id: int


@dataclass(frozen=True)
class Order:
    """What is sent: `symbol` at the broker, and either units or an amount of dollars."""

    planned: PlannedOrder
    symbol: str
    quantity: Decimal | None = None
    notional_usd: Decimal | None = None

    def __str__(self) -> str:
        amount = f"{self.quantity:f}" if self.quantity is not None else f"{self.notional_usd:f} USD of"
        return f"{self.planned.side} {amount} {self.symbol} ({self.planned.client_order_id})"


@dataclass(frozen=True)
class Skipped:
    """A suggestion that is not sent, and why."""

    instrument_id: str
    reason: str


@dataclass(frozen=True)
class BrokerWord:
    """What the broker says of an order that it has."""

    status: str
    broker_order_id: str | None
    filled_quantity: Decimal = Decimal(0)
    filled_average_price_usd: Decimal | None = None


@dataclass(frozen=True)
class Known:
    """An order in `registry.orders`."""

    client_order_id: str
    instrument_id: str
    status: str
    filled_quantity: Decimal
    updated_at: datetime

    @property
    def is_open(self) -> bool:
        """Whether something may still happen to it."""
        return self.status not in FINAL


@dataclass(frozen=True)
class Money:
    """What an account may spend without borrowing, in USD, and its units that can be sold, by symbol."""

    usd: Decimal
    held: dict[str, Decimal] = field(default_factory=dict)
