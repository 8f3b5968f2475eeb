"""Any other exchange of ccxt, by its unified methods.

Belongs here: pages of unified trades and transfers. Must not be here: what one exchange does differently; that deserves
a module of its own, as binance, kraken and coinbase have.

Unified pages begin at a time, inclusive, and are cut somewhere by a limit that nobody tells. So each page begins at the
last time of the one before, known ids are passed over, and a page that brings nothing later although it was full of one
millisecond is an error: what is behind it could never be reached.
"""

from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal
from typing import Any

from assets.accounts.model import Record, RefusedRecord, Row
from assets.accounts.reading import (
    BY_HAND,
    Reading,
    amount,
    as_int,
    identified,
    listed,
    milliseconds,
    moment,
    text,
)  # fmt: skip
from assets.accounts.retrying import malformed
from assets.importers.delimited import number, plain, plain_or_empty
from assets.importers.exchanges import Leg, trade_rows

Ask = Callable[..., Awaitable[Any]]

_DAY = 86_400_000
_OVERLAP = 2 * 3_600_000
_PAGE = 100
_OPENED = 1_293_840_000_000  # 2011
_PENDING_LIMIT = 30 * _DAY


async def read(reading: Reading, ask: Ask, client: Any) -> None:
    """Balances, trades, deposits and withdrawals, as far as ccxt can ask this exchange for them."""
    codes: set[str] = {*reading.request.instruments}

    async def balances() -> None:
        await ask("load_markets")
        answer = await ask("fetch_balance")
        totals = answer.get("total") if isinstance(answer, dict) else None
        if not isinstance(totals, dict):
            raise malformed("no balances in the answer")
        held = [(code, number(str(total), code)) for code, total in totals.items() if total is not None]
        codes.update(code for code, quantity in held if quantity)
        reading.balances(held, reading.codes.asset)

    await reading.stream("balances", balances())
    for stream, method in (("deposits", "fetch_deposits"), ("withdrawals", "fetch_withdrawals")):
        camel = "fetchDeposits" if stream == "deposits" else "fetchWithdrawals"
        if client.has.get(camel) is True:
            await reading.stream(stream, _pages(reading, ask, stream, (method, None), _flow))
    if client.has.get("fetchMyTrades") is True:
        await reading.stream("trades", _pages(reading, ask, "trades", ("fetch_my_trades", None), _trade))


async def _pages(
    reading: Reading, ask: Ask, stream: str, call: tuple[str, str | None], rows_of: Callable[[Reading, Record], Any]
) -> None:
    method, symbol = call
    cursor = reading.report.cursor
    for waiting in reading.waiting(stream):
        reading.take(stream, waiting.record_id, waiting.record, lambda r: rows_of(reading, r))
    until = milliseconds(reading.now)
    since = max(as_int(cursor.get(stream), _OPENED) - _OVERLAP, _OPENED)
    seen: set[str] = set()
    held_at: int | None = None
    while True:
        page = listed(await ask(method, symbol, since, _PAGE))
        new = [(record_id, record) for record_id, record in identified(page, "id") if record_id not in seen]
        latest = since
        for record_id, record in new:
            seen.add(record_id)
            at = as_int(record.get("timestamp"), since)
            latest = max(latest, at)
            status = record.get("status")
            if stream != "trades" and status != "ok":
                reading.report.ignore(f"{stream} {'not done yet' if status == 'pending' else 'refused'}")
                if status == "pending" and until - at < _PENDING_LIMIT:
                    held_at = min(at, held_at or at)
                continue
            bare = {name: value for name, value in record.items() if name != "info"}
            reading.take(stream, record_id, bare, lambda r: rows_of(reading, r))
        if not new:
            if len(page) >= _PAGE and len({record.get("timestamp") for record in page}) == 1:
                raise malformed("more records of one millisecond than a page holds")
            break
        since = latest
        cursor[stream] = since if held_at is None else min(held_at, since)


def _flow(reading: Reading, record: Record) -> Iterator[Row]:
    instrument = reading.codes.asset(text(record, "currency"))
    fee, charged = _fee(reading, record)
    yield {
        "executed_at": moment(record, "timestamp"),
        "type": "DEPOSIT" if record.get("type") == "deposit" else "WITHDRAWAL",
        "instrument": instrument,
        "quantity": plain(amount(record, "amount")),
        "fee": plain_or_empty(fee),
        "fee_currency": charged,
        "external_id": f"{record.get('type')}-{text(record, 'id')}",
    }


def _trade(reading: Reading, record: Record) -> Iterator[Row]:
    symbol = text(record, "symbol")
    codes = symbol.split("/")
    if len(codes) != 2 or ":" in symbol:
        raise RefusedRecord(symbol, "no spot market", BY_HAND)
    base, quote = (reading.codes.asset(code) for code in codes)
    fee, charged = _fee(reading, record)
    size = amount(record, "amount")
    money = amount(record, "cost") if record.get("cost") else size * amount(record, "price")
    legs = [Leg(i, q, fee if charged == i else Decimal(0)) for i, q in ((base, size), (quote, money))]
    given, received = (legs[1], legs[0]) if record.get("side") == "buy" else (legs[0], legs[1])
    third = (Leg(charged, fee),) if fee and charged not in (base, quote) else ()
    common = {"executed_at": moment(record, "timestamp")}
    yield from trade_rows(given, received, common, f"{symbol}-{text(record, 'id')}", third)


def _fee(reading: Reading, record: Record) -> tuple[Decimal, str]:
    fee = record.get("fee")
    if not isinstance(fee, dict) or not fee.get("cost") or not number(str(fee["cost"]), "fee"):
        return Decimal(0), ""
    return number(str(fee["cost"]), "fee"), reading.codes.asset(text(fee, "currency"))
