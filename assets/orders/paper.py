"""An Alpaca paper account that takes orders.

Belongs here: the requests of the trading API v2 that orders need, and what their answers mean. Must not be here: which
orders there are, SQL. After docs.alpaca.markets, "Orders at Alpaca" and the API reference.

Amounts go as text: alpaca-py's own request objects make floats of them. Nothing that the server says is quoted; it may
echo the key.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from assets.accounts.alpaca import position_symbol
from assets.accounts.clients import REQUEST_SECONDS, alpaca_client
from assets.accounts.model import Credentials, RefusedRecord
from assets.accounts.reading import amount, identified, listed
from assets.accounts.retrying import AskError, LastAnswer
from assets.network.errors import classify
from assets.orders.model import BrokerWord, Money, Order

_LIVE_HOST = "api.alpaca.markets"
_PAPER_KEY = "PK"
# of answers that say that nothing was taken: of all others that is not certain
_REFUSALS = {
    400: "the broker cannot read the order",
    401: "the broker does not know the key",
    403: "refused: not enough buying power or units, or the key may not trade",
    404: "the broker does not know such a thing",
    422: "refused: the broker does not take such an order",
    429: "too many requests: not taken",
}


class LiveAccountError(Exception):
    """Orders go to paper accounts alone."""


class BrokerError(Exception):
    """The broker did not do what was asked; `is_refused` when that is certain. The text is our own words."""

    def __init__(self, message: str, *, is_refused: bool, is_unknown: bool = False) -> None:
        super().__init__(message)
        self.is_refused = is_refused
        self.is_unknown = is_unknown


class PaperAccount:
    """One paper account.

    Args:
        credentials: its key, which begins with PK.
        endpoint: scheme and host instead of the paper API's own.
        request_seconds: longest time of one request.

    Raises:
        LiveAccountError: the key or the address is not one of paper trading.
    """

    def __init__(
        self, credentials: Credentials, endpoint: str | None, request_seconds: float = REQUEST_SECONDS
    ) -> None:
        if not credentials.key.startswith(_PAPER_KEY) or urlsplit(endpoint or "").hostname == _LIVE_HOST:
            raise LiveAccountError(
                f"orders are sent to Alpaca paper accounts alone, whose keys begin with {_PAPER_KEY}: "
                f"put a paper account's key into {credentials.variable}_KEY and _SECRET"
            )
        self._last = LastAnswer()
        self._client = alpaca_client(credentials, endpoint, self._last, request_seconds=request_seconds)

    def money(self) -> Money:
        """What purchases may cost without borrowing, and what can be sold."""
        account = self._asked(lambda: self._client.get("/account", {}))
        positions = self._asked(lambda: self._client.get("/positions", {}))
        try:
            powers = ("cash", "buying_power", "non_marginable_buying_power")
            usd = min(amount(account, name) for name in powers if name == "cash" or account.get(name) is not None)
            held = {
                position_symbol(record): amount(record, "qty_available" if record.get("qty_available") else "qty")
                for _, record in identified(listed(positions), "symbol")
            }
        except (AskError, RefusedRecord, AttributeError, TypeError):
            raise BrokerError("account or positions cannot be read", is_refused=False) from None
        return Money(max(usd, Decimal(0)), held)

    def find(self, client_order_id: str) -> BrokerWord | None:
        """What the broker has under this id; None: nothing."""
        try:
            return _word(self._asked(lambda: self._client.get_order_by_client_id(client_order_id)))
        except BrokerError as error:
            if error.is_unknown:
                return None
            raise

    def send(self, order: Order) -> BrokerWord:
        """Send an order at market.

        Raises:
            BrokerError: `is_refused` where it was certainly not taken.
        """
        fields: dict[str, str] = {
            "symbol": order.symbol,
            "side": order.planned.side,
            "type": "market",
            # parts of shares trade for the day only, coins know no day
            "time_in_force": "gtc" if "/" in order.symbol else "day",
            "client_order_id": order.planned.client_order_id,
        }
        if order.quantity is not None:
            fields["qty"] = f"{order.quantity:f}"
        else:
            fields["notional"] = f"{order.notional_usd:f}"
        return _word(self._asked(lambda: self._client.post("/orders", fields)))

    def _asked(self, send: Callable[[], Any]) -> Any:
        self._last.status = self._last.headers = None
        try:
            return send()
        except Exception as error:  # alpaca-py's own, those of requests, and of json
            status = self._last.status
            if status is not None and status in _REFUSALS:
                raise BrokerError(
                    f"HTTP {status}: {_REFUSALS[status]}", is_refused=True, is_unknown=status == 404
                ) from None
            raise BrokerError(classify(error, status=status).message, is_refused=False) from None


def _word(answer: Any) -> BrokerWord:
    try:
        price = answer.get("filled_avg_price")
        return BrokerWord(
            str(answer["status"]),
            str(answer["id"]),
            Decimal(str(answer.get("filled_qty") or 0)),
            None if price is None else Decimal(str(price)),
        )
    except (KeyError, TypeError, AttributeError, ArithmeticError):
        raise BrokerError("the answer is no order", is_refused=False) from None
