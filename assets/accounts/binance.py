"""Binance: the spot account.

Belongs here: which of Binance's requests are made and what their records mean. Must not be here: signing (ccxt's).

Requests after developers.binance.com: GET /api/v3/account, /api/v3/myTrades, /sapi/v1/capital/deposit/hisrec,
/sapi/v1/capital/withdraw/history, /sapi/v1/fiat/orders. ccxt 4.5.90 signs and paces them; its unified methods are not
used, since they leave the page limits to the caller. Trades are paged by their id, which grows within a symbol, so that
thousands of one millisecond are neither lost nor doubled. Not read: Convert, Earn, dust, Pay, P2P, margin, futures.
"""

from collections.abc import Awaitable, Callable, Iterator
from decimal import Decimal
from hashlib import sha256
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
from assets.importers.delimited import instant, plain, plain_or_empty
from assets.importers.exchanges import Leg, trade_rows

Ask = Callable[[str, dict[str, Any]], Awaitable[Any]]

_OPENED = 1_499_990_400_000  # 14 July 2017: nobody has older records
_DAY = 86_400_000
_WINDOW = 90 * _DAY  # the longest that deposits and withdrawals are told for
_OVERLAP = 2 * 3_600_000
# a deposit waits for confirmations, a withdrawal for a person; one that stays so for longer is asked for no more
_PENDING_LIMIT = 30 * _DAY
_PAGE = 1000
_FIAT_PAGE = 500
_DEPOSIT = {"1": "done", "6": "done", "0": "pending", "8": "pending", "2": "refused", "7": "refused"}
_WITHDRAWAL = {"6": "done", "0": "pending", "2": "pending", "4": "pending", "1": "refused", "3": "refused",
               "5": "refused"}  # fmt: skip
_FIAT = {"successful": "done", "finished": "done", "completed": "done", "processing": "pending", "pending": "pending"}


async def read(reading: Reading, ask: Ask) -> None:
    """Balances, deposits, withdrawals, then trades of every market of a code that the account was ever seen with."""
    until = milliseconds(reading.now)
    cursor = reading.report.cursor
    codes = {*_strings(cursor.get("codes")), *reading.request.instruments}

    async def balances() -> None:
        answer = await ask("privateGetAccount", {"omitZeroBalances": "true"})
        held = [(text(r, "asset"), amount(r, "free") + amount(r, "locked")) for r in listed(answer, "balances")]
        codes.update(code for code, quantity in held if quantity)
        reading.balances(held, lambda code: _held(reading, code))
        told = sorted((code, plain(quantity)) for code, quantity in held if quantity)
        cursor["print"] = sha256(repr((told, sorted(reading.request.instruments))).encode()).hexdigest()[:16]

    has_balances = await reading.stream("balances", balances())
    flows = [
        ("deposits", "sapiGetCapitalDepositHisrec", "id", _deposit),
        ("withdrawals", "sapiGetCapitalWithdrawHistory", "id", _withdrawal),
    ]
    for stream, method, identity, rows_of in flows:
        await reading.stream(stream, _flows(reading, ask, stream, method, identity, rows_of, codes, until))
    for kind, stream in (("0", "fiat deposits"), ("1", "fiat withdrawals")):
        await reading.stream(stream, _fiat_orders(reading, ask, stream, kind, until))
    cursor["codes"] = sorted(codes)
    # every trade changes a balance, so equal balances spare asking a hundred markets; once a day they are asked anyway
    is_settled = has_balances and cursor.get("traded_print") == cursor.get("print")
    if is_settled and until - as_int(cursor.get("traded_at"), 0) < _DAY and not reading.waiting("trades"):
        return
    if await reading.stream("trades", _trades(reading, ask, codes)):
        cursor["traded_print"], cursor["traded_at"] = cursor.get("print"), until
        cursor["codes"] = sorted(codes)


def _held(reading: Reading, code: str) -> str:
    """The instrument of a balance; `LDBTC` is BTC lent through Simple Earn, which the spot account lists too."""
    try:
        return reading.codes.asset(code)
    except RefusedRecord:
        if code.startswith("LD") and len(code) > 4:
            return reading.codes.asset(code[2:])
        raise


async def _flows(
    reading: Reading, ask: Ask, stream: str, method: str, identity: str,
    rows_of: Callable[[Reading, Record], list[Row]], codes: set[str], until: int,
) -> None:  # fmt: skip
    for waiting in reading.waiting(stream):
        reading.take(stream, waiting.record_id, waiting.record, lambda r: rows_of(reading, r))
    states = _DEPOSIT if stream == "deposits" else _WITHDRAWAL
    start = max(as_int(reading.report.cursor.get(stream), _OPENED) - _OVERLAP, _OPENED)
    held_at: int | None = None
    while start < until:
        end, offset = min(start + _WINDOW - 1, until), 0
        while True:
            page = listed(await ask(method, {"startTime": start, "endTime": end, "limit": _PAGE, "offset": offset}))
            for record_id, record in identified(page, identity):
                state = states.get(str(record.get("status")), "unknown")
                codes.add(str(record.get("coin", "")))
                if state == "pending":
                    at = _asked_by(record)
                    if until - at < _PENDING_LIMIT:
                        held_at = min(at, held_at or at)
                    reading.report.ignore(f"{stream} not done yet")
                elif state == "refused":
                    reading.report.ignore(f"{stream} refused")
                    reading.settled(stream, record_id)
                else:
                    reading.take(stream, record_id, record, lambda r: rows_of(reading, r))
            if not page:
                break
            offset += len(page)
        # what is pending is asked for again until it is done
        reading.report.cursor[stream] = end if held_at is None else min(held_at, end)
        start = end + 1 if end < until else until


def _asked_by(record: Record) -> int:
    """The time by which Binance's windows find a record."""
    if "insertTime" in record:
        return int(str(record["insertTime"]))
    from datetime import UTC, datetime

    return milliseconds(datetime.fromisoformat(str(record["applyTime"])).replace(tzinfo=UTC))


def _deposit(reading: Reading, record: Record) -> list[Row]:
    if str(record.get("status")) not in _DEPOSIT:
        raise RefusedRecord(str(record.get("status")), "a status of a deposit that Binance does not document", BY_HAND)
    return [
        {
            "executed_at": moment(record, "insertTime"),
            "type": "DEPOSIT",
            "instrument": reading.codes.asset(text(record, "coin")),
            "quantity": plain(amount(record, "amount")),
            "external_id": f"deposit-{text(record, 'id')}",
        }
    ]


def _withdrawal(reading: Reading, record: Record) -> list[Row]:
    if str(record.get("status")) not in _WITHDRAWAL:
        raise RefusedRecord(
            str(record.get("status")), "a status of a withdrawal that Binance does not document", BY_HAND
        )
    instrument = reading.codes.asset(text(record, "coin"))
    fee = amount(record, "transactionFee") if record.get("transactionFee") else Decimal(0)
    return [
        {
            "executed_at": instant(text(record, "applyTime"), "applyTime"),
            "type": "WITHDRAWAL",
            "instrument": instrument,
            "quantity": plain(amount(record, "amount")),
            "fee": plain_or_empty(fee),
            "fee_currency": instrument if fee else "",
            "external_id": f"withdrawal-{text(record, 'id')}",
        }
    ]


async def _fiat_orders(reading: Reading, ask: Ask, stream: str, kind: str, until: int) -> None:
    """Money in and out. The request weighs so much that it is made once a day, and for the whole range at once."""
    cursor = reading.report.cursor
    for waiting in reading.waiting(stream):
        reading.take(stream, waiting.record_id, waiting.record, lambda r: _fiat_order(reading, r, kind))
    if until - as_int(cursor.get(f"{stream} asked"), 0) < _DAY:
        return
    start, page_number, held_at, seen = max(as_int(cursor.get(stream), _OPENED) - _OVERLAP, _OPENED), 1, until, 0
    while True:
        asked = {"transactionType": kind, "beginTime": start, "endTime": until, "page": page_number, "rows": _FIAT_PAGE}
        answer = await ask("sapiGetFiatOrders", asked)
        page = listed(answer, "data")
        seen += len(page)
        for record_id, record in identified(page, "orderNo"):
            state = _FIAT.get(str(record.get("status")).lower(), "refused")
            if state == "done":
                reading.take(stream, record_id, record, lambda r: _fiat_order(reading, r, kind))
            else:
                reading.report.ignore(f"{stream} {'not done yet' if state == 'pending' else 'refused'}")
                if state == "pending":
                    held_at = min(held_at, as_int(record.get("createTime"), until))
        # the next request would wait for half a minute, so the count is believed where there is one
        if not page or seen >= as_int(answer.get("total"), seen + 1):
            break
        page_number += 1
    cursor[stream], cursor[f"{stream} asked"] = held_at, until


def _fiat_order(reading: Reading, record: Record, kind: str) -> list[Row]:
    instrument = reading.codes.asset(text(record, "fiatCurrency"))
    fee = amount(record, "totalFee") if kind == "1" and record.get("totalFee") else Decimal(0)
    return [
        {
            "executed_at": moment(record, "updateTime" if record.get("updateTime") else "createTime"),
            "type": "WITHDRAWAL" if kind == "1" else "DEPOSIT",
            "instrument": instrument,
            "quantity": plain(amount(record, "amount")),
            "fee": plain_or_empty(fee),
            "fee_currency": instrument if fee else "",
            "external_id": f"fiat-{text(record, 'orderNo')}",
        }
    ]


async def _trades(reading: Reading, ask: Ask, codes: set[str]) -> None:
    """Binance tells trades of one market at a time: of those whose base the account was seen with."""
    answer = await ask("publicGetExchangeInfo", {"showPermissionSets": "false"})
    markets = {symbol: (text(r, "baseAsset"), text(r, "quoteAsset")) for symbol, r in _symbols(answer)}
    last = reading.report.cursor.get("trades")
    known: dict[str, int] = dict(last) if isinstance(last, dict) else {}
    reading.report.cursor["trades"] = known

    def rows_of(record: Record) -> Iterator[Row]:
        return _trade(reading, record, markets)

    for waiting in reading.waiting("trades"):
        reading.take("trades", waiting.record_id, waiting.record, rows_of)
    asked: set[str] = set()
    while True:
        # a coin that a trade brought in may have been sold in another market
        wanted = [s for s, (base, _) in markets.items() if (base in codes or s in known) and s not in asked]
        if not wanted:
            return
        for symbol in wanted:
            asked.add(symbol)
            while True:
                start = known.get(symbol, -1) + 1
                page = listed(await ask("privateGetMyTrades", {"symbol": symbol, "fromId": start, "limit": _PAGE}))
                for trade_id, record in identified(page, "id"):
                    if int(trade_id) < start:
                        raise malformed("a page of trades that begins before the one asked for")
                    reading.take("trades", f"{symbol}-{trade_id}", record, rows_of)
                    codes.update(markets[symbol])
                if not page:
                    break
                known[symbol] = max(int(trade_id) for trade_id, _ in identified(page, "id"))


def _symbols(answer: object) -> Iterator[tuple[str, Record]]:
    for record in listed(answer, "symbols"):
        yield str(record.get("symbol")), record


def _trade(reading: Reading, record: Record, markets: dict[str, tuple[str, str]]) -> Iterator[Row]:
    symbol = text(record, "symbol")
    if symbol not in markets:
        raise RefusedRecord(symbol, "a market that Binance no longer lists", BY_HAND)
    base, quote = (reading.codes.asset(code) for code in markets[symbol])
    paid, charged = amount(record, "commission"), reading.codes.asset(text(record, "commissionAsset"))
    legs = [
        Leg(instrument, quantity, paid if charged == instrument else Decimal(0))
        for instrument, quantity in ((base, amount(record, "qty")), (quote, amount(record, "quoteQty")))
    ]
    is_purchase = record.get("isBuyer") is True
    given, received = (legs[1], legs[0]) if is_purchase else (legs[0], legs[1])
    third = (Leg(charged, paid),) if paid and charged not in (base, quote) else ()
    common = {"executed_at": moment(record, "time")}
    yield from trade_rows(given, received, common, f"{symbol}-{text(record, 'id')}", third)


def _strings(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []
