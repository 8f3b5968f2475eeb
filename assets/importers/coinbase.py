"""Coinbase: the transaction history of an account as CSV.

Belongs here: the layouts of that file, what its types of transaction mean, the trades that only the notes tell.
Must not be here: Coinbase Pro, Exchange and Prime, whose files are others.

Layouts after exports and the headers that tax tools read (July 2026). All have some lines before the header. Current:
`ID` (2024), `Price Currency` and `Price at Transaction` (2023), money with its sign (€3343.11), sent quantities
negative. Before: `Spot Price Currency`, `Fees and/or Spread` (2022) or `Fees` (2021), or the currency in the names,
`EUR Spot Price at Transaction` (2020); plain numbers, quantities without a sign. Columns are taken by name, times
are UTC. One line is one transaction: what a trade was paid with, where it is no money, stands in the notes alone
("Bought 0.5 ETH for 1000 USDC on ETH-USDC at 1990 USDC/ETH", "Converted 1 ADA to 0.5 USDC").
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from assets.importers.delimited import (
    Account,
    Line,
    Refused,
    currency,
    header_of,
    instant,
    is_fiat,
    note,
    number,
    number_or_zero,
    plain,
    positive,
    read_lines,
)
from assets.importers.exchanges import Leg, swap_leg, trade_rows
from assets.importers.model import Format, Parsed, SourceFile, Symbols

_SHARED = {"Timestamp", "Transaction Type", "Asset", "Quantity Transacted", "Notes"}
_SIGNED_MONEY = re.compile(r"(?P<sign>-?)[^\d\s.,-]{0,4}\s?(?P<number>[\d.,]+(?:[eE]-?\d+)?)")
_DECIMAL = r"[\d,]*\.?\d+(?:[eE]-?\d+)?"
_TRADED = re.compile(
    rf"(?:Bought|Sold) {_DECIMAL} \w+ for [^\d\s.,-]{{0,4}}(?P<total>{_DECIMAL}) (?P<quote>\w+)"
    rf"(?: on (?P<base>\w+)-(?P=quote) at (?P<price>{_DECIMAL}) (?P=quote)/(?P=base))?(?:\s.*)?"
)
_CONVERTED = re.compile(rf"Converted (?P<out>{_DECIMAL}) (?P<given>\w+) to (?P<into>{_DECIMAL}) (?P<received>\w+)\s*")
#: One economic coin under two symbols: ETH staked before withdrawals were possible.
_SAME_COIN = {"ETH2": "ETH"}

_TRADES = ("Buy", "Sell", "Advanced Trade Buy", "Advanced Trade Sell", "Advance Trade Buy", "Advance Trade Sell")
_REWARDS = ("Rewards Income", "Reward Income", "Inflation Reward", "Staking Income", "Interest payout")
_GIFTS = ("Coinbase Earn", "Learning Reward")
_GIFT_NOTES = ("Coinbase Earn", "Coinbase Referral", "Coinbase Rewards")
_FLOWS = {
    "Deposit": "DEPOSIT", "Receive": "DEPOSIT", "Withdrawal": "WITHDRAWAL", "Send": "WITHDRAWAL",
    "Exchange Deposit": "WITHDRAWAL", "Pro Deposit": "WITHDRAWAL", "Prime Deposit": "WITHDRAWAL",
    "Exchange Withdrawal": "DEPOSIT", "Pro Withdrawal": "DEPOSIT", "Prime Withdrawal": "DEPOSIT",
    "Card Spend": "WITHDRAWAL", "Donation": "WITHDRAWAL",
}  # fmt: skip
_CHARGES = {
    "Subscription": "FEE", "Subscription Rebate": "FEE_REFUND", "Subscription Rebates (24 Hours)": "FEE_REFUND",
}  # fmt: skip
_SAME_ACCOUNT = (
    "Retail Staking Transfer", "Retail Unstaking Transfer", "Vault Withdrawal", "Cash to Savings", "Savings to Cash",
)  # fmt: skip
_MIGRATIONS = ("Asset Migration", "Retail Eth2 Deprecation")
_ROUNDING, _RELATIVE_ROUNDING = Decimal("0.02"), Decimal("0.001")
_BY_HAND = "enter what it was in transactions/*.csv by hand"


def _is_current(header: frozenset[str]) -> bool:
    return header >= _SHARED | {"Price Currency", "Price at Transaction"}


def _is_before_2023(header: frozenset[str]) -> bool:
    return header >= _SHARED and any(name.endswith("Spot Price at Transaction") for name in header)


@dataclass(frozen=True, slots=True)
class _Entry:
    """A line with its numbers.

    Attributes:
        money: the instrument of price, subtotal, total and fee.
        quantity: without a sign.
        is_out: whether the quantity has a minus; layouts before 2023 never have one.
        common: executed_at and note.
    """

    line: Line
    kind: str
    asset: str
    quantity: Decimal
    is_out: bool
    money: str
    price: Decimal
    subtotal: Decimal
    total: Decimal
    fee: Decimal
    common: dict[str, str]


def _parse(source: SourceFile, symbols: Symbols, *, is_current: bool) -> Parsed:
    account = Account()
    header, lines = read_lines(source.text, _is_current if is_current else _is_before_2023)
    names = _names(header)
    entries: list[_Entry] = []

    def read(line: Line) -> None:
        if not account.is_repeated(line, line["ID"]):
            entries.append(_entry(line, names, symbols))

    account.each(lines, read)
    pairs = _pairs(entries)
    by_line = {entry.line.number: entry for entry in entries}

    def transact(line: Line) -> None:
        entry = by_line[line.number]
        other = pairs.get(line.number)
        if other is None:
            _transact(entry, symbols, account)
        elif entry.asset == other.asset:
            account.ignore(line.number, f"the same coin under another symbol, see line {other.line.number}")
        else:
            _migrate(entry, other, account)

    account.each([entry.line for entry in entries], transact)
    return account.parsed


def _names(header: list[str]) -> dict[str, str]:
    """What a cell is -> its column in this file; `currency` is a code where the columns' names hold it."""
    names: dict[str, str] = {}
    for name in header:
        bare = name[4:] if re.match(r"[A-Z]{3} ", name) else name
        if bare.endswith("Price at Transaction"):
            names["price"] = name
            names["code"] = name[:3] if bare != name else ""
        elif bare in ("Price Currency", "Spot Price Currency"):
            names["currency"] = name
        elif bare == "Subtotal":
            names["subtotal"] = name
        elif bare.startswith("Total (inclusive of fees"):
            names["total"] = name
        elif bare in ("Fees", "Fees and/or Spread"):
            names["fee"] = name
    return names


def _entry(line: Line, names: dict[str, str], symbols: Symbols) -> _Entry:
    quantity = number(line["Quantity Transacted"], "Quantity Transacted")
    positive(abs(quantity), "Quantity Transacted", line["Quantity Transacted"])

    def money(key: str) -> Decimal:
        return _money(line[names.get(key, "")], names.get(key, ""))

    code = names.get("code") or line[names.get("currency", "")]
    return _Entry(
        line,
        line["Transaction Type"],
        currency(symbols, _SAME_COIN.get(line["Asset"], line["Asset"]), "Asset"),
        abs(quantity),
        quantity < 0,
        currency(symbols, code, names.get("currency", "")) if code else "",
        abs(money("price")),
        abs(money("subtotal")),
        abs(money("total")),
        abs(money("fee")),
        {"executed_at": instant(line["Timestamp"], "Timestamp"), "note": note(line["Notes"])},
    )


def _money(text: str, column: str) -> Decimal:
    """An amount with or without the sign of its currency; an empty cell is 0."""
    match = _SIGNED_MONEY.fullmatch(text)
    return number_or_zero(match["sign"] + match["number"] if match else text, column)


def _pairs(entries: list[_Entry]) -> dict[int, _Entry]:
    """Line -> the other line of a migration: opposite signs at one time, and one of each only."""
    pairs: dict[int, _Entry] = {}
    for key, group in _groups(entries):
        outs, ins = [e for e in group if e.is_out], [e for e in group if not e.is_out]
        is_one = len(outs) == len(ins) == 1
        is_equal = is_one and outs[0].quantity == ins[0].quantity
        if is_one and (is_equal or key[1] == "Asset Migration"):
            pairs |= {outs[0].line.number: ins[0], ins[0].line.number: outs[0]}
    return pairs


def _groups(entries: list[_Entry]) -> Iterator[tuple[tuple[str, str], list[_Entry]]]:
    groups: dict[tuple[str, str], list[_Entry]] = {}
    staked = {e.common["executed_at"] for e in entries if e.line["Asset"] in _SAME_COIN and e.kind == "Send"}
    for entry in entries:
        at = entry.common["executed_at"]
        if entry.kind in _MIGRATIONS:
            groups.setdefault((at, entry.kind), []).append(entry)
        elif entry.kind in ("Send", "Receive") and at in staked:  # how ETH2 became ETH for customers in the EU
            groups.setdefault((at, entry.asset), []).append(entry)
    yield from groups.items()


def _migrate(entry: _Entry, other: _Entry, account: Account) -> None:
    """A coin replaced by its successor is a swap of the two."""
    first, second = sorted((entry, other), key=lambda each: each.line.number)
    kind = "SWAP_OUT" if entry.is_out else "SWAP_IN"
    group = f"migration-{first.line['ID'] or first.line.digest}-{second.line['ID'] or second.line.digest}"
    row = swap_leg(kind, Leg(entry.asset, entry.quantity), group, account.identity(entry.line, entry.line["ID"]))
    account.add(entry.line.number, entry.common | row)


def _transact(entry: _Entry, symbols: Symbols, account: Account) -> None:
    kind, line = entry.kind, entry.line
    if kind in _SAME_ACCOUNT:
        account.ignore(line.number, f"{kind}: the same coin in the same account")
    elif kind in _TRADES or kind == "Retail Simple Dust":
        rows = trade_rows(*_traded(entry, symbols), entry.common, account.identity(line, line["ID"]))
        for row in rows:
            account.add(line.number, row)
    elif kind == "Convert":
        _convert(entry, symbols, account)
    else:
        row = entry.common | _single(entry)
        account.add(line.number, row | {"external_id": account.identity(line, line["ID"])})


def _single(entry: _Entry) -> dict[str, str]:
    """A line of one movement: a flow, income, a charge."""
    kind, row = entry.kind, {"instrument": entry.asset, "quantity": plain(entry.quantity)}
    said = entry.line["Notes"]
    is_gift = kind in _GIFTS or (kind == "Receive" and any(words in said for words in _GIFT_NOTES))
    if is_gift or kind in _REWARDS:
        if is_fiat(entry.asset):
            return row | {"type": "INTEREST", "currency": entry.asset, "note": note(kind, said)}
        priced = {"price": plain(entry.price), "currency": entry.money} if entry.price and entry.money else {}
        return row | {"type": "AIRDROP" if is_gift else "STAKING_REWARD", "note": note(kind, said)} | priced
    if kind in _CHARGES:
        return row | {"type": _CHARGES[kind], "note": note(kind, said)}
    if kind not in _FLOWS:
        raise Refused("Transaction Type", kind, "a type of transaction that is not read", _BY_HAND)
    row["type"] = _FLOWS[kind]
    if entry.is_out and row["type"] == "DEPOSIT":
        text = entry.line["Quantity Transacted"]
        raise Refused("Quantity Transacted", text, f"a quantity above 0 was expected with {kind}", _BY_HAND)
    if not entry.fee:
        return row
    if entry.asset != entry.money:  # the quantity is what left; a network fee is told in money, for information
        return row | {"note": note(said, f"fee stated: {plain(entry.fee)} {entry.money.removeprefix('fiat:')}")}
    if entry.total != entry.subtotal + entry.fee:
        reason = "a total that is the subtotal and the fee was expected"
        raise Refused("Total", plain(entry.total), reason, _BY_HAND)
    gross = entry.total if row["type"] == "DEPOSIT" else entry.subtotal
    return row | {"quantity": plain(gross), "fee": plain(entry.fee), "fee_currency": entry.asset}


def _traded(entry: _Entry, symbols: Symbols) -> tuple[Leg, Leg]:
    """What was given and received; the money is the notes' where they name it, else the columns'."""
    is_purchase = entry.kind.endswith("Buy")
    said = entry.line["Notes"]
    match = _TRADED.fullmatch(said)
    quote = currency(symbols, match["quote"], "Notes") if match else entry.money
    if match and quote != entry.money:
        money = _quoted(match, entry, quote, is_purchase)
    elif entry.kind.startswith("Adv") and not match:
        reason = "the notes should tell what was paid or received, as in: Bought 0.5 ETH for 1000 USDC"
        raise Refused("Notes", said, reason, _BY_HAND)
    elif not entry.money or not entry.subtotal:
        raise Refused("Subtotal", plain(entry.subtotal), "an amount of money was expected", _BY_HAND)
    else:
        _require_sum(entry, is_purchase=is_purchase)
        money = Leg(entry.money, entry.subtotal, entry.fee)
    asset = Leg(entry.asset, entry.quantity)
    if asset.instrument == money.instrument:
        raise Refused("Notes", said, "something else was expected in return", _BY_HAND)
    return (money, asset) if is_purchase else (asset, money)


def _require_sum(entry: _Entry, *, is_purchase: bool) -> None:
    """A total that is not subtotal and fee leaves open what was paid; each is rounded by itself."""
    due = entry.subtotal + entry.fee if is_purchase else entry.subtotal - entry.fee
    if entry.total and abs(entry.total - due) > max(_ROUNDING, entry.subtotal * _RELATIVE_ROUNDING):
        reason = f"the subtotal {'and' if is_purchase else 'less'} the fee was expected, {plain(due)}"
        raise Refused("Total", plain(entry.total), reason, _BY_HAND)


def _quoted(match: re.Match[str], entry: _Entry, quote: str, is_purchase: bool) -> Leg:
    """The other side as the notes tell it; their total holds the fee, which is what the price leaves unexplained."""
    total = positive(number(match["total"], "Notes"), "Notes", match["total"])
    if match["base"] != entry.line["Asset"]:
        return Leg(quote, total)
    gross = entry.quantity * number(match["price"], "Notes")
    fee = total - gross if is_purchase else gross - total
    return Leg(quote, gross, fee) if fee >= 0 else Leg(quote, total)


def _convert(entry: _Entry, symbols: Symbols, account: Account) -> None:
    """A swap for what the notes name, worth what was given at the line's price."""
    said = entry.line["Notes"]
    match = _CONVERTED.fullmatch(said)
    if match is None or match["given"] != entry.line["Asset"]:
        reason = "the notes should tell what this line's asset became, as in: Converted 1 ADA to 0.5 USDC"
        raise Refused("Notes", said, reason, _BY_HAND)
    received = currency(symbols, _SAME_COIN.get(match["received"], match["received"]), "Notes")
    if received == entry.asset:
        account.ignore(entry.line.number, "Convert: the same coin under another symbol")
        return
    quantity = positive(number(match["into"], "Notes"), "Notes", match["into"])
    external_id = account.identity(entry.line, entry.line["ID"])
    rows = trade_rows(Leg(entry.asset, entry.quantity), Leg(received, quantity), entry.common, external_id)
    if rows[0]["type"] == "SWAP_OUT" and entry.price and entry.money:
        rows[0] |= {"price": plain(entry.price), "currency": entry.money}
    for row in rows:
        account.add(entry.line.number, row)


COINBASE = Format(
    name="coinbase",
    version="2023",
    title="Coinbase transaction history",
    recognises=lambda source: header_of(source.text, _is_current) is not None,
    parse=lambda source, symbols: _parse(source, symbols, is_current=True),
)
COINBASE_2021 = Format(
    name="coinbase",
    version="2021",
    title="Coinbase transaction history (before 2023)",
    recognises=lambda source: header_of(source.text, _is_before_2023) is not None,
    parse=lambda source, symbols: _parse(source, symbols, is_current=False),
)
