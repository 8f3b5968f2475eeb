"""Alpaca: positions, cash and activities of a brokerage account, paper or live.

Belongs here: which requests of the trading API v2 are made and what its activities mean. Must not be here: the client.

After docs.alpaca.markets: "Account Activities" (the types; an id is a time and a UUID, and is the page token),
"Positions", "Account". alpaca-py has no method of its own for activities, so its `get` is used. An activity that is
booked later keeps the id of its day, so each reading goes back a week; what is known is recognised by its id.
"""

from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

from assets.accounts.model import Record, RefusedRecord, Row, Waiting
from assets.accounts.reading import BY_HAND, Reading, amount, identified, listed, text
from assets.accounts.retrying import malformed
from assets.importers.delimited import instant, plain

#: Asks for a path of the API, such as `/account`, with parameters.
Ask = Callable[[str, dict[str, Any]], Awaitable[Any]]

_PAGE = 100  # the largest that is given
_OVERLAP = timedelta(days=7)
_OPENED = "2015-01-01T00:00:00+00:00"
_USD = "fiat:USD"
_COIN_QUOTES = ("USDT", "USDC", "USD", "BTC")
# https://docs.alpaca.markets/docs/account-activities, the list of types
_CASH_FLOWS = ("CSD", "CSW", "JNLC", "ACATC", "JNL", "CSR")
_SHARE_FLOWS = ("JNLS", "ACATS")
_DIVIDENDS = ("DIV", "DIVCGL", "DIVCGS", "DIVTXEX", "CDIV", "SDIV", "SUBPAY", "CIL")
_TAXES = ("DIVNRA", "DIVTW", "DIVFT", "DIVWH", "INTNRA", "INTTW", "WH")
_CHARGES = ("FEE", "DIVFEE", "PTC", "PTR", "REG", "TAF", "CAT")
_INTEREST = ("INT", "INTPNL")


async def state(ask: Ask) -> str:
    """A short text that differs as soon as something happened in the account; prices leave it as it is."""
    newest = listed(await ask("/account/activities", {"page_size": 1, "direction": "desc"}))
    cash, positions = await _cash(ask), await _positions(ask)
    told = (
        [str(record.get("id")) for record in newest],
        cash,
        sorted((r.get("symbol"), r.get("qty")) for r in positions),
    )
    return sha256(repr(told).encode()).hexdigest()[:16]


async def read(reading: Reading, ask: Ask) -> None:
    """Cash, positions, then activities since the last reading."""
    cursor = reading.report.cursor

    async def balances() -> None:
        # before anything else: what happens meanwhile must show as a change next time
        cursor["state"] = await state(ask)
        held = [("", await _cash(ask))]
        for record in await _positions(ask):
            sign = -1 if record.get("side") == "short" else 1
            held.append((position_symbol(record), sign * abs(amount(record, "qty"))))
        reading.balances(held, lambda symbol: _instrument(reading, symbol) if symbol else _USD)

    await reading.stream("balances", balances())
    await reading.stream("activities", _activities(reading, ask))


async def _cash(ask: Ask) -> Decimal:
    account = await ask("/account", {})
    if not isinstance(account, dict) or "cash" not in account or account.get("currency", "USD") != "USD":
        raise malformed("no cash in USD in the account")
    return amount(account, "cash")


async def _positions(ask: Ask) -> list[Record]:
    return [record for _, record in identified(listed(await ask("/positions", {})), "symbol")]


def position_symbol(record: Record) -> str:
    """The symbol that trades of a position have."""
    symbol = text(record, "symbol")
    return _coin_pair(symbol) if record.get("asset_class") == "crypto" else symbol


def _coin_pair(symbol: str) -> str:
    """Positions and fees in coins name them without the slash that their trades have: BTCUSD, BTC/USD."""
    if "/" in symbol:
        return symbol
    quote = next((q for q in _COIN_QUOTES if symbol.endswith(q) and symbol != q), "")
    return f"{symbol.removesuffix(quote)}/{quote}" if quote else f"{symbol}/USD"


def _instrument(reading: Reading, symbol: str) -> str:
    own = reading.codes.mapped(symbol)
    if own is not None:
        return own
    return reading.codes.asset(symbol.partition("/")[0]) if "/" in symbol else reading.codes.us_share(symbol)


async def _activities(reading: Reading, ask: Ask) -> None:
    cursor = reading.report.cursor
    splits: dict[str, Record] = {}

    def take(activity_id: str, record: Record) -> None:
        status = str(record.get("status", "executed"))
        if status in ("pending", "correct", "canceled"):
            reading.report.ignore(f"activities {status}")
            reading.settled("activities", activity_id)
        elif record.get("activity_type") == "SPLIT":
            splits[activity_id] = record
        else:
            reading.take("activities", activity_id, record, lambda r: _rows(reading, r))

    for waiting in reading.waiting("activities"):
        take(waiting.record_id, waiting.record)
    before = datetime.fromisoformat(str(cursor.get("activities", _OPENED)))
    asked = {"after": (before - _OVERLAP).strftime("%Y-%m-%dT%H:%M:%SZ"), "direction": "asc", "page_size": _PAGE}
    last = ""
    while True:
        page = listed(await ask("/account/activities", asked | ({"page_token": last} if last else {})))
        for activity_id, record in identified(page, "id"):
            take(activity_id, record)
        if not page or page[-1]["id"] == last:
            break
        last = str(page[-1]["id"])
        # ids begin with their time: should the next page fail, the next reading goes on a week before this one
        cursor["activities"] = max(before, min(_time_of(last, before), reading.now)).isoformat()
    _book_splits(reading, splits)
    cursor["activities"] = reading.now.isoformat()


def _time_of(activity_id: str, otherwise: datetime) -> datetime:
    try:
        return datetime.strptime(activity_id[:14] + "+0000", "%Y%m%d%H%M%S%z")
    except ValueError:
        return otherwise


def _rows(reading: Reading, record: Record) -> Iterator[Row]:
    kind = text(record, "activity_type")
    common = {"external_id": text(record, "id")}
    if kind == "FILL":
        yield common | _fill(reading, record)
        return
    common["executed_at"] = instant(text(record, "date"), "date")
    if kind in _SHARE_FLOWS or kind == "CFEE":
        yield common | _in_kind(reading, record, kind)
        return
    net = amount(record, "net_amount")
    if kind in _CASH_FLOWS:
        row = {"type": "DEPOSIT" if net > 0 else "WITHDRAWAL", "instrument": _USD}
    elif kind in _DIVIDENDS and net >= 0:
        row = {"type": "DIVIDEND", "instrument": _instrument(reading, text(record, "symbol")), "currency": _USD}
    elif kind in _TAXES:
        row = {"type": "TAX" if net < 0 else "TAX_REFUND", "instrument": _USD}
    elif kind in _CHARGES:
        row = {"type": "FEE" if net < 0 else "FEE_REFUND", "instrument": _USD}
    elif kind in _INTEREST:
        row = {"type": "INTEREST", "instrument": _USD, "currency": _USD}
        row = row if net > 0 else {"type": "INTEREST_CHARGE", "instrument": _USD}
    else:
        raise RefusedRecord(kind, "a type of activity that is not read", BY_HAND)
    if net:
        yield common | row | {"quantity": plain(abs(net))}
    else:
        reading.report.ignore(f"{kind} that moved no money")


def _fill(reading: Reading, record: Record) -> Row:
    symbol, side = text(record, "symbol"), text(record, "side")
    if side not in ("buy", "sell", "sell_short"):
        raise RefusedRecord(side, "buy, sell or sell_short was expected", BY_HAND)
    quote = symbol.partition("/")[2]
    if quote not in ("", "USD"):
        raise RefusedRecord(symbol, "a pair that is not quoted in USD", BY_HAND)
    return {
        "executed_at": instant(text(record, "transaction_time"), "transaction_time"),
        "type": "BUY" if side == "buy" else "SELL",
        "instrument": _instrument(reading, symbol),
        "quantity": plain(amount(record, "qty")),
        "price": plain(amount(record, "price")),
        "currency": _USD,
    }


def _in_kind(reading: Reading, record: Record, kind: str) -> Row:
    """Shares from and to other accounts; fees of coins, which are taken in the coin."""
    symbol, moved = text(record, "symbol"), amount(record, "qty")
    instrument = _instrument(reading, _coin_pair(symbol) if kind == "CFEE" else symbol)
    if not moved:
        raise RefusedRecord("0", "qty: a quantity other than 0 was expected", BY_HAND)
    said = ("FEE_REFUND", "FEE") if kind == "CFEE" else ("DEPOSIT", "WITHDRAWAL")
    return {"type": said[moved < 0], "instrument": instrument, "quantity": plain(abs(moved))}


def _book_splits(reading: Reading, splits: dict[str, Record]) -> None:
    """A split is two activities: the old quantity out, the new one in; each waits for the other."""
    events: dict[tuple[object, object], list[str]] = {}
    for activity_id, record in splits.items():
        events.setdefault((record.get("symbol"), record.get("date")), []).append(activity_id)
    for ids in events.values():
        _book_split(reading, ids, splits)


def _book_split(reading: Reading, ids: list[str], splits: dict[str, Record]) -> None:
    first = splits[ids[0]]

    def rows_of(record: Record) -> list[Row]:
        moved = sorted(amount(splits[activity_id], "qty") for activity_id in ids)
        if len(moved) != 2 or not moved[0] < 0 < moved[1]:
            raise RefusedRecord(
                text(record, "symbol"), "a split that is not told by an old and a new quantity", BY_HAND
            )
        common = {"executed_at": instant(text(record, "date"), "date"), "type": "SPLIT", "external_id": min(ids)}
        ratio = f"{plain(moved[1])}:{plain(-moved[0])}"
        return [common | {"instrument": _instrument(reading, text(record, "symbol")), "quantity": ratio}]

    reading.take("activities", ids[0], first, rows_of)
    problem = next((w for w in reading.waiting("activities") if w.record_id == ids[0]), None)
    for activity_id in ids[1:]:
        if problem is None:
            reading.settled("activities", activity_id)
        else:
            reading.wait(
                Waiting("activities", activity_id, splits[activity_id], problem.value, problem.reason, problem.remedy)
            )
