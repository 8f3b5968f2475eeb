"""Coinbase: accounts, their transactions, and fills of Advanced Trade.

Belongs here: which of Coinbase's requests are made and what their records mean. Must not be here: signing (ccxt's).

Requests after docs.cdp.coinbase.com: GET /v2/accounts, /v2/accounts/{id}/transactions (from the oldest on, so that the
last id is the place to go on from), /api/v3/brokerage/orders/historical/fills. A fill stands in both; it is taken from
the last, which tells price and commission.
"""

from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from assets.accounts.model import Record, RefusedRecord, Row, Waiting
from assets.accounts.reading import BY_HAND, Reading, amount, identified, listed, text
from assets.accounts.retrying import malformed
from assets.importers.delimited import instant, is_fiat, number, plain, plain_or_empty
from assets.importers.exchanges import Leg, trade_rows

Ask = Callable[[str, dict[str, Any]], Awaitable[Any]]

_PAGE = 100
_FILLS_PAGE = 1000
_OVERLAP = timedelta(hours=1)
_OPENED = "2012-01-01T00:00:00+00:00"
_SMALLEST = Decimal("1e-18")
_DONE = ("completed", "")
_REFUSED = ("failed", "expired", "canceled", "cancelled")
_FLOWS = (
    "send", "receive", "fiat_deposit", "fiat_withdrawal", "exchange_deposit", "exchange_withdrawal", "pro_deposit",
    "pro_withdrawal", "intx_deposit", "intx_withdrawal", "cardspend",
)  # fmt: skip
_REWARDS = ("staking_reward", "inflation_reward", "earn_payout", "interest", "incentives_rewards_payout", "cardbuyback")
_TOLD_ELSEWHERE = (
    "advanced_trade_fill", "transfer", "vault_deposit", "vault_withdrawal", "staking_transfer", "unstaking_transfer",
    "retail_eth2_deprecation",
)  # fmt: skip


async def read(reading: Reading, ask: Ask) -> None:
    """Balances of all wallets, the transactions of each, and the fills."""
    wallets: list[str] = []

    async def balances() -> None:
        held = []
        for record in [r async for r in _accounts(ask)]:
            balance = record.get("balance")
            if not isinstance(balance, dict):
                raise malformed("a wallet without balance")
            held.append((text(balance, "currency"), amount(balance, "amount")))
            # a wallet that was never used has the code for its id, and nothing to tell
            if record.get("id") != balance["currency"]:
                wallets.append(text(record, "id"))
        reading.balances(held, reading.codes.asset)

    if await reading.stream("balances", balances()):
        await reading.stream("transactions", _transactions(reading, ask, wallets))
    await reading.stream("fills", _fills(reading, ask))


async def _accounts(ask: Ask) -> Any:
    after: dict[str, str] = {}
    while True:
        page = listed(await ask("v2PrivateGetAccounts", {"limit": _PAGE, **after}), "data")
        for _, record in identified(page, "id"):
            yield record
        if not page or after.get("starting_after") == page[-1]["id"]:
            return
        after = {"starting_after": str(page[-1]["id"])}


async def _transactions(reading: Reading, ask: Ask, wallets: list[str]) -> None:
    cursor = reading.report.cursor
    last = cursor.get("transactions")
    places: dict[str, str] = dict(last) if isinstance(last, dict) else {}
    cursor["transactions"] = places
    halves: dict[str, list[tuple[str, Record]]] = {}

    def take(record_id: str, record: Record) -> None:
        if record.get("type") == "trade":
            halves.setdefault(_trade_id(record), []).append((record_id, record))
        else:
            reading.take("transactions", record_id, record, lambda r: _transaction(reading, r))

    for waiting in reading.waiting("transactions"):
        take(waiting.record_id, waiting.record)
    for wallet in wallets:
        is_passed, after = True, places.get(wallet)
        while True:
            asked = {"account_id": wallet, "limit": _PAGE, "order": "asc"}
            answer = await ask(
                "v2PrivateGetAccountsAccountIdTransactions", asked | ({"starting_after": after} if after else {})
            )
            page = listed(answer, "data")
            told = answer.get("pagination") if isinstance(answer, dict) else None
            pagination = told if isinstance(told, dict) else {}
            if pagination.get("order", "asc") != "asc":
                raise malformed("transactions come newest first although asked oldest first")
            for record_id, record in identified(page, "id"):
                status = str(record.get("status") or "")
                # the place stays before the first one that is not done, so that it is asked for again
                is_passed = is_passed and status in (*_DONE, *_REFUSED)
                if status in _DONE:
                    take(record_id, record)
                else:
                    reading.report.ignore(f"transactions {'refused' if status in _REFUSED else 'not done yet'}")
                if is_passed:
                    places[wallet] = record_id
            if not page and pagination.get("next_uri"):
                raise malformed("a page of transactions without any, and yet not the last")
            if not page or after == page[-1]["id"]:
                break
            after = str(page[-1]["id"])
    for trade_id, pair in halves.items():
        _convert(reading, trade_id, dict(pair))


def _trade_id(record: Record) -> str:
    trade = record.get("trade")
    return str(trade.get("id")) if isinstance(trade, dict) else str(record.get("id"))


def _money(record: Record, field: str) -> tuple[str, Decimal]:
    value = record.get(field)
    if not isinstance(value, dict):
        raise RefusedRecord("", f"the record has no {field}", BY_HAND)
    return text(value, "currency"), number(text(value, "amount"), field)


def _transaction(reading: Reading, record: Record) -> Iterator[Row]:
    kind = text(record, "type")
    code, moved = _money(record, "amount")
    instrument = reading.codes.asset(code)
    common = {"executed_at": instant(text(record, "created_at"), "created_at"), "external_id": text(record, "id")}
    if kind in _TOLD_ELSEWHERE or not moved:
        reading.report.ignore(f"{kind}: told by another record, or nothing moved")
    elif kind in _FLOWS:
        yield common | {
            "type": "DEPOSIT" if moved > 0 else "WITHDRAWAL", "instrument": instrument, "quantity": plain(abs(moved)),
        }  # fmt: skip
    elif kind in _REWARDS and moved > 0:
        income = {"type": "INTEREST", "currency": instrument} if is_fiat(instrument) else {"type": "STAKING_REWARD"}
        yield common | income | {"instrument": instrument, "quantity": plain(moved)}
    elif kind in ("buy", "sell"):
        yield from _purchase(reading, record, kind, instrument, moved, common)
    else:
        raise RefusedRecord(kind, "a type of transaction that is not read", BY_HAND)


def _purchase(
    reading: Reading, record: Record, kind: str, instrument: str, moved: Decimal, common: Row
) -> Iterator[Row]:
    """A purchase or sale outside of Advanced Trade; its record in the wallet of the money tells nothing new."""
    if is_fiat(instrument):
        reading.report.ignore("the money of a purchase or sale: told by the coin's record")
        return
    details = record.get(kind)
    if not isinstance(details, dict):
        raise RefusedRecord(kind, f"the record has no {kind} with subtotal and fee", BY_HAND)
    code, subtotal = _money(details, "subtotal")
    money = reading.codes.asset(code)
    fee = _money(details, "fee")[1] if isinstance(details.get("fee"), dict) else Decimal(0)
    yield common | {
        "type": kind.upper(), "instrument": instrument, "quantity": plain(abs(moved)), "amount": plain(subtotal),
        "currency": money, "fee": plain_or_empty(fee), "fee_currency": money if fee else "",
    }  # fmt: skip


def _convert(reading: Reading, trade_id: str, pair: dict[str, Record]) -> None:
    """One coin converted into another: two records in two wallets, which wait for each other."""
    stream, ids = "transactions", [*pair]
    legs: dict[bool, Leg] = {}

    def rows_of(record: Record) -> list[Row]:
        for half in pair.values():
            code, moved = _money(half, "amount")
            legs[moved > 0] = Leg(reading.codes.asset(code), abs(moved))
        if len(pair) != 2 or len(legs) != 2:
            raise RefusedRecord(trade_id, "the other side of this conversion is not told yet", BY_HAND)
        common = {"executed_at": instant(text(record, "created_at"), "created_at")}
        return trade_rows(legs[False], legs[True], common, trade_id)

    reading.take(stream, ids[0], pair[ids[0]], rows_of)
    first = next((w for w in reading.waiting(stream) if w.record_id == ids[0]), None)
    for record_id in ids[1:]:
        if first is None:
            reading.settled(stream, record_id)
        else:
            reading.wait(Waiting(stream, record_id, pair[record_id], first.value, first.reason, first.remedy))


async def _fills(reading: Reading, ask: Ask) -> None:
    cursor = reading.report.cursor
    for waiting in reading.waiting("fills"):
        reading.take("fills", waiting.record_id, waiting.record, lambda r: _fill(reading, r))
    before = datetime.fromisoformat(str(cursor.get("fills", _OPENED)))
    window = {
        "start_sequence_timestamp": _zulu(before - _OVERLAP), "end_sequence_timestamp": _zulu(reading.now),
        "limit": _FILLS_PAGE,
    }  # fmt: skip
    token, tokens = "", set[str]()
    while True:
        answer = await ask("v3PrivateGetBrokerageOrdersHistoricalFills", window | ({"cursor": token} if token else {}))
        for record_id, record in identified(listed(answer, "fills"), "entry_id"):
            reading.take("fills", record_id, record, lambda r: _fill(reading, r))
        token = str(answer.get("cursor") or "") if isinstance(answer, dict) else ""
        if not token:
            break
        if token in tokens:
            raise malformed("pages of fills that go round in a circle")
        tokens.add(token)
    cursor["fills"] = reading.now.isoformat()


def _zulu(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _fill(reading: Reading, record: Record) -> list[Row]:
    if record.get("trade_type", "FILL") != "FILL":
        raise RefusedRecord(str(record.get("trade_type")), "a correction of a fill", BY_HAND)
    codes = text(record, "product_id").split("-")
    if len(codes) != 2:
        raise RefusedRecord(text(record, "product_id"), "no spot product", BY_HAND)
    base, quote = (reading.codes.asset(code) for code in codes)
    price, size = amount(record, "price"), amount(record, "size")
    if record.get("size_in_quote") is True:
        quantity, money = (size / price).quantize(_SMALLEST), size
    else:
        quantity, money = size, size * price
    fee = amount(record, "commission") if record.get("commission") else Decimal(0)
    asset, paid = Leg(base, quantity), Leg(quote, money, fee)
    given, received = (paid, asset) if text(record, "side").upper() == "BUY" else (asset, paid)
    common = {"executed_at": instant(text(record, "trade_time"), "trade_time")}
    return trade_rows(given, received, common, text(record, "entry_id"))
