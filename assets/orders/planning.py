"""Which suggestions become which orders at a broker, and which do not.

Belongs here: ids, symbols, amounts, what holds an order back. Must not be here: SQL, requests.

Parts of shares are bought for an amount of dollars, which is exact whatever the price does, and sold by quantity; whole
quantities are ordered by quantity. Sales come first.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from hashlib import sha256

from assets.accounts.codes import Codes
from assets.accounts.model import RefusedRecord
from assets.money_text import money_text
from assets.orders.model import PENDING, REFUSED, Known, Money, Order, PlannedOrder, Skipped

_USD = "fiat:USD"
_CENT, _STEP = Decimal("0.01"), Decimal("1e-9")
# https://docs.alpaca.markets/docs/fractional-trading
_LEAST_NOTIONAL = Decimal(1)


def client_order_id(publication_id: int, as_of: datetime, portfolio_id: str, instrument_id: str, side: str) -> str:
    """The same suggestion has the same id; another database with the same numbers does not, as its as-of differs."""
    text = "|".join([str(publication_id), as_of.isoformat(), portfolio_id, instrument_id, side])
    return f"holdfast-{sha256(text.encode()).hexdigest()[:32]}"


def make_orders(
    planned: Iterable[PlannedOrder],
    known: Sequence[Known],
    money: Money,
    codes: Codes,
    as_of: datetime,
) -> tuple[list[Order], list[Skipped]]:
    """Orders that may be sent now, sales first, and what is not sent.

    Args:
        planned: the suggestions that stand.
        known: orders of this portfolio and account that were made before.
        money: what the account has.
        codes: the broker's symbols.
        as_of: the moment that the suggestions describe.
    """
    orders: list[Order] = []
    skipped: list[Skipped] = []
    left = money.usd
    by_size = sorted(planned, key=lambda one: (one.side != "sell", -(one.value_usd or 0), one.instrument_id))
    for one in by_size:
        reason = _held_back(one, known, as_of)
        symbol = "" if reason else alpaca_symbol(one.instrument_id, codes)
        if not reason and not symbol:
            reason = (
                "Alpaca has no symbol for it; if it has, name it as yfinance_symbol or ccxt_symbol in instruments.csv"
            )
        order = None if reason else _order(one, symbol, money.held)
        if not reason and order is None:
            reason = "the account holds none of it" if one.side == "sell" else "less than a dollar, or no value in USD"
        if order is not None and one.side == "buy":
            needed = order.notional_usd or one.value_usd or Decimal(0)
            if needed > left:
                amounts = f"needs {money_text(needed, _USD)} and {money_text(left, _USD)} are there"
                reason = f"{amounts}: call again when sales are filled"
            else:
                left -= needed
        if reason or order is None:
            skipped.append(Skipped(one.instrument_id, reason))
        else:
            orders.append(order)
    return orders, skipped


def _held_back(one: PlannedOrder, known: Sequence[Known], as_of: datetime) -> str:
    for order in known:
        if order.instrument_id != one.instrument_id:
            continue
        if order.client_order_id == one.client_order_id:
            if order.status not in (PENDING, REFUSED):
                return f"sent already: {order.status}"
        elif order.is_open:
            return f"another order of it is open: {order.status}"
        elif order.filled_quantity > 0 and order.updated_at >= as_of:
            return "an order of it was filled after what the suggestion describes: run Holdfast first"
    return ""


def alpaca_symbol(instrument_id: str, codes: Codes) -> str:
    """The symbol that Alpaca's own records of this instrument would be read by; "" where there is none.

    What would be read back as another instrument is not ordered: the position would turn up elsewhere.
    """
    namespace, _, code = instrument_id.partition(":")
    own = codes.symbol_of(instrument_id)
    if namespace == "crypto":
        return f"{own or code}/USD" if _reads_as(codes.asset, own or code, instrument_id) else ""
    if namespace not in ("equity", "etf"):
        return ""
    symbol = own or code.replace("-", ".")
    return symbol if _reads_as(codes.us_share, symbol, instrument_id) else ""


def _reads_as(read: Callable[[str], str], symbol: str, instrument_id: str) -> bool:
    try:
        return read(symbol) == instrument_id
    except RefusedRecord:
        return False


def _order(one: PlannedOrder, symbol: str, held: Mapping[str, Decimal]) -> Order | None:
    quantity = one.quantity.quantize(_STEP, rounding=ROUND_DOWN)
    if one.side == "sell":
        quantity = min(quantity, held.get(symbol, Decimal(0))).normalize()
        return Order(one, symbol, quantity=quantity) if quantity > 0 else None
    if quantity == quantity.to_integral_value():
        return None if one.value_usd is None else Order(one, symbol, quantity=quantity.normalize())
    notional = None if one.value_usd is None else one.value_usd.quantize(_CENT, rounding=ROUND_DOWN)
    return None if notional is None or notional < _LEAST_NOTIONAL else Order(one, symbol, notional_usd=notional)
