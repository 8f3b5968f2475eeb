"""Trading 212: the history of an Invest or ISA account as CSV.

Belongs here: the generations of that file, its actions, where its fees and taxes go. Must not be here: CFD accounts.

Layouts after exports of 2021 to 2026 and the headers that other importers read (July 2026). The columns of a file
depend on what happened in its time, so they are taken by name: `Total` with `Currency (Total)`, or `Total (GBP)` in
the first generation, and so for every amount; `Time`, or `Time (UTC)` in the newest; UTC in both. Of a trade, `Total`
is in the account's currency and holds fees and taxes: a purchase's amount is the total less both, a sale's the total
and both. Of a dividend, `Total` is net of the tax withheld, and so is the price per share. An order that is filled in
parts repeats its ID and dividends have none, so a line is known by its facts.
"""

import re
from collections.abc import Callable
from decimal import Decimal

from assets.importers.delimited import (
    Account,
    Line,
    Refused,
    currency,
    header_of,
    instant,
    note,
    number,
    number_or_zero,
    plain,
    plain_or_empty,
    positive,
    read_lines,
    security,
)
from assets.importers.exchanges import Leg, trade_rows
from assets.importers.model import Format, Parsed, SourceFile, Symbols

_REQUIRED = {"Action", "ISIN", "Ticker", "No. of shares", "Price / share"}
_FEES = ("Currency conversion fee", "Transaction fee", "Finra fee", "PTM levy")
_TAXES = ("Stamp duty", "Stamp duty reserve tax", "French transaction tax")
_OTHER_AMOUNTS = (
    "Total", "Result", "Withholding tax", "Charge amount", "Deposit fee", "Currency conversion from amount",
    "Currency conversion to amount",
)  # fmt: skip
_CHARGE_WORDS = re.compile(r"\b(?:fee|fees|tax|duty|levy|commission|charge)\b", re.IGNORECASE)
_NAMED_CURRENCY = re.compile(r"(?P<amount>.+) \((?P<code>[A-Z]{3})\)")
_FUND = re.compile(r"\b(?:ETF|UCITS)\b")
_PENCE = ("GBX", "GBp")

_ORDERS = {f"{kind} {side}" for kind in ("Market", "Limit", "Stop", "Stop limit") for side in ("buy", "sell")}
_DIVIDENDS = {
    f"Dividend ({kind})"
    for kind in (
        "Ordinary", "Dividend", "Dividends paid by us corporations", "Dividends paid by foreign corporations",
        "Dividend manufactured payment", "Property income", "Property income distribution", "Bonus", "Tax exempted",
        "Interest",
    )
}  # fmt: skip
_CASH = {
    "Deposit": "DEPOSIT", "Withdrawal": "WITHDRAWAL", "Card debit": "WITHDRAWAL", "Card credit": "DEPOSIT",
    "Card refund": "DEPOSIT", "Spending cashback": "DEPOSIT", "New card cost": "FEE", "ADR Fee": "FEE",
}  # fmt: skip
_INTEREST = ("Interest on cash", "Lending interest")
_TRANSFERS = {"Transfer in": "DEPOSIT", "Transfer out": "WITHDRAWAL"}
_SPLIT_CLOSE, _SPLIT_OPEN = "Stock split close", "Stock split open"
_BY_HAND = "enter what it was in transactions/*.csv by hand"


def _is_header(header: frozenset[str]) -> bool:
    has_total = any(re.fullmatch(r"Total(?: \([A-Z]{3}\))?", name) for name in header)
    return header >= _REQUIRED and has_total and bool(header & {"Time", "Time (UTC)"})


def _parse(source: SourceFile, symbols: Symbols) -> Parsed:
    account = Account()
    header, lines = read_lines(source.text, _is_header)
    unknown = [name for name in header if _CHARGE_WORDS.search(name) and not _is_known(name)]
    closes: dict[tuple[str, str], list[Line]] = {}
    opens: dict[tuple[str, str], list[Line]] = {}

    def read(line: Line) -> None:
        for name in unknown:
            if line[name] not in ("", "0", "0.00"):
                raise Refused(name, line[name], "an amount that is not known here", _BY_HAND)
        action = line["Action"]
        if action in (_SPLIT_CLOSE, _SPLIT_OPEN):
            halves = closes if action == _SPLIT_CLOSE else opens
            halves.setdefault((line["ISIN"], _time(line)[:10]), []).append(line)
        else:
            _transact(line, symbols, account)

    account.each(lines, read)
    for key in {**closes, **opens}:
        _split(closes.get(key, []), opens.get(key, []), symbols, account)
    account.parsed.rows.sort(key=lambda row: row.line)
    return account.parsed


def _is_known(name: str) -> bool:
    bare = name.removeprefix("Currency (").removesuffix(")") if name.startswith("Currency (") else name
    named = _NAMED_CURRENCY.fullmatch(bare)
    return (named["amount"] if named else bare) in (*_FEES, *_TAXES, *_OTHER_AMOUNTS)


def _transact(line: Line, symbols: Symbols, account: Account) -> None:
    action = line["Action"]
    read: Callable[[Line, Symbols], dict[str, str]]
    if action in _ORDERS:
        read = _order
    elif action in _DIVIDENDS:
        read = _dividend
    elif action in _INTEREST:
        read = _interest
    elif action in _CASH:
        read = _cash
    elif action in _TRANSFERS:
        read = _transfer
    elif action == "Currency conversion":
        _convert(line, symbols, account)
        return
    elif action == "Result adjustment" and not _amount(line, "Total")[0]:
        account.ignore(line.number, "Result adjustment: no money and no shares moved")
        return
    else:
        raise Refused("Action", action, "an action that is not read", _BY_HAND)
    row = {"executed_at": _time(line)} | read(line, symbols)
    account.add(line.number, row | {"external_id": _identity(line, account)})


def _order(line: Line, symbols: Symbols) -> dict[str, str]:
    is_purchase = line["Action"].endswith("buy")
    total, money = _money(line, "Total", symbols)
    fee, tax = _charges(line, _FEES, money, symbols), _charges(line, _TAXES, money, symbols)
    amount = total - fee - tax if is_purchase else total + fee + tax
    if amount < 0:
        raise Refused("Total", plain(total), "a total above its fees and taxes was expected", _BY_HAND)
    return {
        "type": "BUY" if is_purchase else "SELL",
        "instrument": _instrument(line, symbols),
        "quantity": plain(_shares(line)),
        "price": _price_in(line, money, symbols),
        "amount": plain(amount),
        "currency": money,
        "fee": plain_or_empty(fee),
        "fee_currency": money if fee else "",
        "tax": plain_or_empty(tax),
        "note": note(line["Name"], line["Notes"]),
    }


def _dividend(line: Line, symbols: Symbols) -> dict[str, str]:
    total, money = _money(line, "Total", symbols)
    tax, how = _withheld(line, total, money, symbols)
    kind = line["Action"].removeprefix("Dividend (").removesuffix(")")
    return {
        "type": "DIVIDEND",
        "instrument": _instrument(line, symbols),
        "quantity": plain(positive(total, "Total", plain(total))),
        "currency": money,
        "tax": plain_or_empty(tax),
        "note": note(line["Name"], "" if kind in ("Ordinary", "Dividend") else kind, how),
    }


def _withheld(line: Line, total: Decimal, money: str, symbols: Symbols) -> tuple[Decimal, str]:
    """The tax in the currency of the total.

    It is told in the currency of the security. The line's own rate is total / (shares x price), both net; to the
    cent, because that is how exactly the tax itself is told. Without a price the tax is left to the note.
    """
    tax, code = _amount(line, "Withholding tax")
    if tax < 0:
        raise Refused("Withholding tax", plain(tax), "a tax of 0 or more was expected", _BY_HAND)
    if not tax:
        return tax, ""
    tax, taxed_in = _in_pounds(tax, code, symbols, "Currency (Withholding tax)")
    if taxed_in == money:
        return tax, ""
    said = f"withheld {plain(tax)} {taxed_in.removeprefix('fiat:')}"
    price, code = number_or_zero(line["Price / share"], "Price / share"), line["Currency (Price / share)"]
    price, priced_in = _in_pounds(price, code, symbols, "Currency (Price / share)") if code else (price, "")
    net = _shares(line) * price
    if priced_in != taxed_in or not net:
        return Decimal(0), f"{said}, not in the column tax for want of a rate"
    return (tax * total / net).quantize(Decimal("0.01")), said


def _interest(line: Line, symbols: Symbols) -> dict[str, str]:
    total, money = _money(line, "Total", symbols)
    quantity = plain(positive(total, "Total", plain(total)))
    said = note(line["Action"], line["Notes"] if line["Notes"] != line["Action"] else "")
    return {"type": "INTEREST", "instrument": money, "quantity": quantity, "currency": money, "note": said}


def _cash(line: Line, symbols: Symbols) -> dict[str, str]:
    total, money = _money(line, "Total", symbols)
    fee, code = _amount(line, "Deposit fee")
    if fee:
        charged, _ = _amount(line, "Charge amount")
        if charged != total + fee or currency(symbols, code, "Deposit fee") != money:
            raise Refused("Deposit fee", plain(fee), "a charge that is the total and the fee was expected", _BY_HAND)
    if total < 0 and _CASH[line["Action"]] == "DEPOSIT":
        raise Refused("Total", plain(total), "a total above 0 was expected", _BY_HAND)
    is_card = line["Action"] not in ("Deposit", "Withdrawal")
    return {
        "type": _CASH[line["Action"]],
        "instrument": money,
        "quantity": plain(positive(abs(total) + fee, "Total", plain(total))),
        "fee": plain_or_empty(fee),
        "fee_currency": money if fee else "",
        "note": note(line["Action"] if is_card else "", line["Merchant name"], line["Notes"]),
    }


def _transfer(line: Line, symbols: Symbols) -> dict[str, str]:
    kind, shares = _TRANSFERS[line["Action"]], plain(_shares(line))
    said = note(line["Action"], line["Name"], line["Notes"])
    return {"type": kind, "instrument": _instrument(line, symbols), "quantity": shares, "note": said}


def _convert(line: Line, symbols: Symbols, account: Account) -> None:
    """Money for money: what is received is told before the fee."""
    given, given_code = _amount(line, "Currency conversion from amount")
    received, received_code = _amount(line, "Currency conversion to amount")
    fee, fee_code = _amount(line, "Currency conversion fee")
    legs = []
    for value, code, name in ((given, given_code, "from"), (received, received_code, "to")):
        column = f"Currency conversion {name} amount"
        legs.append(Leg(currency(symbols, code, column), positive(abs(value), column, plain(value))))
    fees: tuple[Leg, ...] = ()
    if fee:
        fees = (Leg(currency(symbols, fee_code, "Currency conversion fee"), abs(fee)),)
    if fees and fees[0].instrument not in {leg.instrument for leg in legs}:
        raise Refused("Currency conversion fee", fee_code, "one of the two currencies was expected", _BY_HAND)
    common = {"executed_at": _time(line), "note": note(line["Notes"])}
    for row in trade_rows(legs[0], legs[1], common, _identity(line, account), fees):
        account.add(line.number, row)


def _split(closes: list[Line], opens: list[Line], symbols: Symbols, account: Account) -> None:
    """The shares before (close) and after (open) of one security on one day are one SPLIT."""
    try:
        if len(closes) != 1 or len(opens) != 1:
            reason = "one line of shares before and one after the split were expected on its day"
            raise Refused("Action", (closes + opens)[0]["Action"], reason, _BY_HAND)
        before, after = closes[0], opens[0]
        row = {
            "executed_at": _time(after),
            "type": "SPLIT",
            "instrument": _instrument(after, symbols),
            "quantity": f"{plain(_shares(after))}:{plain(_shares(before))}",
            "note": note(after["Name"]),
            "external_id": _identity(after, account),
        }
    except Refused as refused:
        for line in (*closes, *opens):
            account.reject(line.number, refused)
        return
    account.add(after.number, row)
    account.ignore(before.number, f"the shares before the split of line {after.number}")


def _time(line: Line) -> str:
    column = "Time" if line["Time"] else "Time (UTC)"
    return instant(line[column], column)


def _identity(line: Line, account: Account) -> str:
    """By the facts that every generation of the file tells alike; times once had milliseconds."""
    shares, total = line["No. of shares"], _amount(line, "Total")[0]
    facts = [line["Action"], _time(line)[:19], line["ISIN"], line["ID"], plain_or_empty(total)]
    facts.append(plain(number(shares, "No. of shares")) if shares else "")
    return account.identity_of(facts)


def _instrument(line: Line, symbols: Symbols) -> str:
    """Exports do not tell funds from shares; the names of funds do."""
    asset_class = "etf" if _FUND.search(line["Name"]) else "equity"
    return security(symbols, line["Ticker"], line["ISIN"], asset_class, "Ticker")


def _shares(line: Line) -> Decimal:
    return positive(number(line["No. of shares"], "No. of shares"), "No. of shares", line["No. of shares"])


def _amount(line: Line, name: str) -> tuple[Decimal, str]:
    """An amount and the code of its currency: of the column beside it, or in its own name; 0 and "" where empty."""
    if line[name]:
        return number(line[name], name), line[f"Currency ({name})"]
    for column in line.places:
        named = _NAMED_CURRENCY.fullmatch(column) if column.startswith(name) else None
        if named and named["amount"] == name and line[column]:
            return number(line[column], column), named["code"]
    return Decimal(0), ""


def _money(line: Line, name: str, symbols: Symbols) -> tuple[Decimal, str]:
    """An amount that must be there, and its currency as an instrument."""
    value, code = _amount(line, name)
    if not code:
        raise Refused(name, line[name], "an amount and its currency were expected", _BY_HAND)
    return _in_pounds(value, code, symbols, f"Currency ({name})")


def _in_pounds(value: Decimal, code: str, symbols: Symbols, column: str) -> tuple[Decimal, str]:
    """Pence become pounds."""
    if code in _PENCE:
        return value / 100, currency(symbols, "GBP", column)
    return value, currency(symbols, code, column)


def _charges(line: Line, names: tuple[str, ...], money: str, symbols: Symbols) -> Decimal:
    """The sum of a trade's fees or taxes; all are in the currency of its total."""
    charged = Decimal(0)
    for name in names:
        value, code = _amount(line, name)
        if value and currency(symbols, code, name) != money:
            raise Refused(name, f"{plain(value)} {code}", "the currency of the total was expected", _BY_HAND)
        charged += abs(value)
    return charged


def _price_in(line: Line, money: str, symbols: Symbols) -> str:
    """The price per share where it is in the currency of the total; the amount tells it otherwise."""
    code = line["Currency (Price / share)"]
    if not line["Price / share"] or not code:
        return ""
    price = number(line["Price / share"], "Price / share")
    price, priced_in = _in_pounds(price, code, symbols, "Currency (Price / share)")
    return plain(price) if priced_in == money else ""


TRADING212 = Format(
    name="trading212",
    version="2021",
    title="Trading 212 history",
    recognises=lambda source: header_of(source.text, _is_header) is not None,
    parse=_parse,
)
