"""Interactive Brokers: Activity Flex Query reports in XML.

Belongs here: which sections and fields are read, what their types mean. Must not be here: fetching a report.

Layout after IB's Flex Query reference and the fields that readers of it know (July 2026): one element per transaction
under FlexStatement/<Section>, all values in attributes, which of them there are being chosen in the query. Times are
those of New York unless they name an offset; a time without one is converted, a date stays a date. Amounts are signed:
money in is above 0; commissions and taxes that were paid are below.
"""

import re
from collections import defaultdict
from collections.abc import Callable
from datetime import datetime, timezone, tzinfo
from decimal import Decimal
from functools import cache
from hashlib import sha256
from xml.parsers.expat import ExpatError, ParserCreate
from zoneinfo import ZoneInfo

from assets.importers.delimited import (
    Account,
    Line,
    Once,
    Refused,
    currency,
    note,
    number,
    number_or_zero,
    plain,
    positive,
    security,
    utc,
)
from assets.importers.model import Format, Parsed, SourceFile, Symbols

_TAG = "element"
_ROOT = re.compile(r"<FlexQueryResponse[\s>]")
_HEAD_CHARACTERS = 4096
_STATEMENT_DEPTH = 3
_TIME = re.compile(
    r"(?P<year>\d{4})-?(?P<month>\d\d)-?(?P<day>\d\d)"
    r"(?:[;,T ]\s*(?P<hour>\d\d):?(?P<minute>\d\d):?(?P<second>\d\d)\s*(?P<zone>Z|UTC|EST|EDT|[+-]\d\d:?\d\d)?)?"
)
_SPLIT_TEXT = re.compile(r"SPLIT\s+(?P<new>\d+(?:\.\d+)?)\s+FOR\s+(?P<old>\d+(?:\.\d+)?)", re.IGNORECASE)
_FLOWS = ("Deposits & Withdrawals", "Deposits/Withdrawals")
_DIVIDENDS = ("Dividends", "Payment In Lieu Of Dividends")
_INTEREST = ("Broker Interest Paid", "Broker Interest Received", "Bond Interest Paid", "Bond Interest Received")
_FEES = ("Other Fees", "Advisor Fees", "Broker Fees", "Commission Adjustments")
_OUTSIDE, _INSIDE = ("ACATS", "ATON", "FOP", "OTC"), ("INTERNAL", "INTERCOMPANY")
_BY_HAND = "enter what it was in transactions/*.csv by hand"


def _is_flex(source: SourceFile) -> bool:
    return _ROOT.search(source.text[:_HEAD_CHARACTERS]) is not None


def _parse(source: SourceFile, symbols: Symbols) -> Parsed:
    account = Account()
    try:
        elements = _elements(source.text)
    except ExpatError as error:
        reason = f"the file is no whole XML document ({error})"
        account.reject(error.lineno, Refused("", "", reason, "download the report again"))
        return account.parsed
    report = _Report(elements, symbols, account)
    account.each([line for _, line in elements], report.read)
    report.splits()
    account.parsed.rows.sort(key=lambda row: row.line)
    return account.parsed


def _elements(text: str) -> list[tuple[str, Line]]:
    """Section and element of every transaction, position and summary, in the order of the file.

    Raises:
        ExpatError: not well formed, or with a document type, which no report has and which could hold entities.
    """
    path: list[str] = []
    found: list[tuple[str, Line]] = []
    places: dict[tuple[str, ...], dict[str, int]] = {}
    once = Once()
    parser = ParserCreate()

    def start(tag: str, attributes: dict[str, str]) -> None:
        if len(path) > _STATEMENT_DEPTH or (len(path) == _STATEMENT_DEPTH and attributes):
            section = path[_STATEMENT_DEPTH] if len(path) > _STATEMENT_DEPTH else tag
            names = (*attributes, _TAG)
            shared = places.setdefault(names, {name: place for place, name in enumerate(names)})
            values = tuple(once(value.strip()) for value in (*attributes.values(), tag))
            found.append((section, Line(parser.CurrentLineNumber, shared, values)))
        path.append(tag)

    def end(_: str) -> None:
        path.pop()

    def doctype(*_: object) -> None:
        error = ExpatError("a document type")
        error.lineno = parser.CurrentLineNumber
        raise error

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.StartDoctypeDeclHandler = doctype
    parser.Parse(text.removeprefix("\ufeff").lstrip(), True)
    return found


class _Report:
    """One file: its elements, and what is only known from several of them together."""

    def __init__(self, elements: list[tuple[str, Line]], symbols: Symbols, account: Account) -> None:
        self._symbols, self._account = symbols, account
        self._sections = {id(line): section for section, line in elements}
        lines = [line for _, line in elements]
        self._has_executions = any(_is_execution(line) for line in lines)
        self._has_details = any(section == "CashTransactions" and not _is_summary(line) for section, line in elements)
        self._funds = {_security_key(line) for line in lines if line["subCategory"] == "ETF"}
        self._void = _cancelled([line for section, line in elements if section == "Trades"])
        self._void |= _reversed([line for section, line in elements if section == "CashTransactions"])
        self._splits: dict[tuple[str, str, str], list[Line]] = defaultdict(list)

    def read(self, line: Line) -> None:
        """Read one element."""
        section = self._sections[id(line)]
        readers: dict[str, Callable[[Line], None]] = {
            "Trades": self._trade,
            "CashTransactions": self._cash,
            "CorporateActions": self._corporate_action,
            "Transfers": self._transfer,
        }
        if section == "TradeConfirms":
            raise Refused(_TAG, line[_TAG], "a confirmation of a trade", "make an Activity Flex Query with Trades")
        if section not in readers:
            self._account.ignore(line.number, f"the section {section} is not read")
        elif id(line) in self._void:
            self._account.ignore(line.number, self._void[id(line)])
        elif not self._account.is_repeated(line, _own_id(line)):
            readers[section](line)

    def _trade(self, line: Line) -> None:
        if not _is_execution(line):
            if line[_TAG] in ("Trade", "Order") and not self._has_executions:
                reason = "orders and summaries only"
                raise Refused("levelOfDetail", line["levelOfDetail"], reason, "tick Executions in the query's Trades")
            self._account.ignore(line.number, f"{line['levelOfDetail'] or line[_TAG]}: told by the executions")
            return
        if line["buySell"] not in ("BUY", "SELL"):
            raise Refused("buySell", line["buySell"], "BUY or SELL was expected", _BY_HAND)
        instrument, money = self._traded(line), self._money(line, "currency")
        quantity = abs(_number(line, "quantity"))
        positive(quantity, "quantity", line["quantity"])
        proceeds = _number(line, "proceeds")
        commission, tax = _number(line, "ibCommission", is_zero_empty=True), number_or_zero(line["taxes"], "taxes")
        fee_money = self._money(line, "ibCommissionCurrency") if commission else money
        if line["assetCategory"] != "CASH":  # which has no net cash: both of its sides are money
            _check_net(line, proceeds + tax + (commission if fee_money == money else 0))
        row = {
            "type": line["buySell"],
            "instrument": instrument,
            "quantity": plain(quantity),
            "price": line["tradePrice"] and plain(number(line["tradePrice"], "tradePrice")),
            "amount": plain(abs(proceeds)),
            "currency": money,
            "fee": plain(-commission) if commission < 0 else "",
            "fee_currency": fee_money if commission < 0 else "",
            "tax": plain(-tax) if tax < 0 else "",
            "note": note(line["description"], "units of a fund" if line["assetCategory"] == "FUND" else ""),
        }
        rows = [row]
        if commission > 0:
            rows.append({"type": "FEE_REFUND", "instrument": fee_money, "quantity": plain(commission)})
        if tax > 0:
            rows.append({"type": "TAX_REFUND", "instrument": money, "quantity": plain(tax)})
        self._add(line, _time(line, "dateTime", "tradeDate"), rows)

    def _traded(self, line: Line) -> str:
        category, symbol = line["assetCategory"], line["symbol"]
        if category in ("STK", "FUND"):
            return self._security(line)
        if category in ("CASH", "CRYPTO"):  # EUR.USD: euros for dollars; BTC, BTC.USD-PAXOS
            return currency(self._symbols, symbol.partition(".")[0], "symbol")
        reason = "a kind of asset that is not read: only STK, FUND, CASH and CRYPTO are"
        raise Refused("assetCategory", category, reason, _BY_HAND)

    def _cash(self, line: Line) -> None:
        kind = line["type"]
        if line["currency"] == "BASE_SUMMARY" or (_is_summary(line) and self._has_details):
            self._account.ignore(line.number, "a summary of the lines in detail")
            return
        amount, money = _number(line, "amount"), self._money(line, "currency")
        if not amount:
            self._account.ignore(line.number, f"{kind}: no money moved")
            return
        is_in = amount > 0
        row = {"instrument": money, "quantity": plain(abs(amount)), "note": note(line["description"])}
        if kind in _FLOWS:
            row["type"] = "DEPOSIT" if is_in else "WITHDRAWAL"
        elif kind in _DIVIDENDS and is_in:
            row |= {"type": "DIVIDEND", "instrument": self._security(line), "currency": money}
        elif kind in _DIVIDENDS:
            raise Refused("amount", line["amount"], "the dividend that this takes back is not in the file", _BY_HAND)
        elif kind == "Withholding Tax":
            row["type"] = "TAX_REFUND" if is_in else "TAX"
        elif kind in _INTEREST:
            row |= {"type": "INTEREST", "currency": money} if is_in else {"type": "INTEREST_CHARGE"}
        elif kind in _FEES:
            row["type"] = "FEE_REFUND" if is_in else "FEE"
        else:
            raise Refused("type", kind, "a type of cash transaction that is not read", _BY_HAND)
        self._add(line, _time(line, "dateTime", "settleDate", "reportDate"), [row])

    def _corporate_action(self, line: Line) -> None:
        kind, told = line["type"], line["description"] or line["actionDescription"]
        if kind not in ("FS", "RS") and not (kind == "" and _SPLIT_TEXT.search(told)):
            raise Refused("type", kind, "of corporate actions only splits are read", _BY_HAND)
        if not _SPLIT_TEXT.search(told):
            raise Refused("description", told, "the ratio was expected, as in SPLIT 4 FOR 1", _BY_HAND)
        at = line["actionID"] or _time(line, "dateTime", "reportDate")
        self._splits[line["accountId"], at, told.partition("(")[0]].append(line)

    def splits(self) -> None:
        """A split takes the old shares and gives the new, or gives the difference: one SPLIT for each."""
        for lines in self._splits.values():
            try:
                self._split(lines)
            except Refused as refused:
                for line in lines:
                    self._account.reject(line.number, refused)

    def _split(self, lines: list[Line]) -> None:
        gained = [line for line in lines if _number(line, "quantity") > 0]
        known = {self._security(line, line["symbol"].removesuffix(".OLD")) for line in lines}
        if (len(lines) > 1 and len(gained) != 1) or len(lines) > 2:
            raise Refused("quantity", lines[0]["quantity"], "one line of old shares and one of new", _BY_HAND)
        if len(known) != 1:
            reason = f"a split that made {' and '.join(sorted(known))} of one another"
            raise Refused("isin", lines[-1]["isin"], reason, "map both to one instrument with --map, or " + _BY_HAND)
        line = gained[0] if gained else lines[0]
        told = line["description"] or line["actionDescription"]
        match = _SPLIT_TEXT.search(told)
        if match is None:  # every line was searched when it was read
            raise Refused("description", told, "the ratio was expected, as in SPLIT 4 FOR 1", _BY_HAND)
        row = {"type": "SPLIT", "instrument": known.pop(), "quantity": f"{match['new']}:{match['old']}"}
        self._add(line, _time(line, "dateTime", "reportDate"), [row | {"note": note(told)}])
        for other in lines:
            if other is not line:
                self._account.ignore(other.number, f"the old shares of the split of line {line.number}")

    def _transfer(self, line: Line) -> None:
        kind, direction = line["type"], line["direction"]
        if line["assetCategory"] != "STK":
            reason = "of transfers only those of shares are read"
            remedy = "see whether it stands among the cash transactions; else " + _BY_HAND
            raise Refused("assetCategory", line["assetCategory"], reason, remedy)
        if direction not in ("IN", "OUT"):
            raise Refused("direction", direction, "IN or OUT was expected", _BY_HAND)
        shares = abs(_number(line, "quantity"))
        row = {"instrument": self._security(line), "quantity": plain(positive(shares, "quantity", line["quantity"]))}
        at = _time(line, "dateTime", "date", "reportDate")
        said = note(f"{kind} {direction}", line["deliveringBroker"] or line["account"], line["description"])
        if kind in _OUTSIDE:
            row |= {"type": "DEPOSIT" if direction == "IN" else "WITHDRAWAL", "note": said}
        elif kind in _INSIDE and line["account"] and line["accountId"]:
            sides = sorted((line["account"], line["accountId"]))
            facts = [*sides, (line["date"] or at)[:10].replace("-", ""), row["instrument"], row["quantity"]]
            group = "transfer-" + sha256("\x1f".join(facts).encode()).hexdigest()[:24]
            row |= {"type": f"TRANSFER_{direction}", "group_id": group, "note": said}
        else:
            reason = "a transfer whose other side is not told"
            raise Refused("type", kind, reason, "tick Type, Account ID and Account in the query's Transfers")
        self._add(line, at, [row])

    def _add(self, line: Line, at: str, rows: list[dict[str, str]]) -> None:
        external_id = self._account.identity(line, _own_id(line))
        for index, row in enumerate(rows):
            suffix = f"-{row['type'].lower().replace('_', '-')}" if index else ""
            common = {"executed_at": at, "external_id": external_id + suffix}
            self._account.add(line.number, row | common, line["accountId"])

    def _money(self, line: Line, field: str) -> str:
        _demand(line, field)
        return currency(self._symbols, line[field], field)

    def _security(self, line: Line, symbol: str | None = None) -> str:
        asset_class = "etf" if line["assetCategory"] == "FUND" or _security_key(line) in self._funds else "equity"
        isin = line["isin"] or (line["securityID"] if line["securityIDType"] == "ISIN" else "")
        ticker = (line["symbol"] if symbol is None else symbol).replace(" ", ".")  # BRK B, elsewhere BRK.B
        return security(self._symbols, ticker, isin, asset_class, "symbol")


def _is_execution(line: Line) -> bool:
    return line[_TAG] == "Trade" and line["levelOfDetail"] in ("", "EXECUTION")


def _is_summary(line: Line) -> bool:
    return line["levelOfDetail"] == "SUMMARY"


def _security_key(line: Line) -> str:
    return line["conid"] or line["isin"] or line["symbol"]


def _own_id(line: Line) -> str:
    return line["transactionID"] or line["tradeID"] or line["ibExecID"]


def _cancelled(trades: list[Line]) -> dict[int, str]:
    """Trades that a later line cancels, and those lines: neither counts."""
    void: dict[int, str] = {}
    known = {line["tradeID"]: line for line in trades if line["tradeID"] and _is_execution(line)}
    for line in trades:
        original = known.get(line["origTradeID"])
        is_cancel = line["transactionType"].endswith("Cancel") or "(Ca.)" in line["buySell"]
        if is_cancel and original is not None and original is not line:
            void |= {id(line): f"cancels the trade of line {original.number}"}
            void |= {id(original): f"cancelled by line {line.number}"}
    return void


def _reversed(cash: list[Line]) -> dict[int, str]:
    """Dividends that were taken back in full, and the lines that did: neither counts."""
    void: dict[int, str] = {}
    paid: dict[tuple[str, ...], list[Line]] = defaultdict(list)
    dividends = [line for line in cash if line["type"] in _DIVIDENDS]
    for line in dividends:
        if line["amount"] and not line["amount"].startswith("-"):
            paid[_dividend_key(line)].append(line)
    for line in dividends:
        if line["amount"].startswith("-") and paid[_dividend_key(line)]:
            original = paid[_dividend_key(line)].pop(0)
            void |= {id(line): f"takes back the dividend of line {original.number}"}
            void |= {id(original): f"taken back by line {line.number}"}
    return void


def _dividend_key(line: Line) -> tuple[str, ...]:
    amount = line["amount"].removeprefix("-")
    level = line["levelOfDetail"]
    return line["accountId"], line["type"], _security_key(line), line["currency"], amount, level


def _demand(line: Line, field: str) -> None:
    if field not in line.places:
        section = "tick it in the query, or all fields of the section"
        raise Refused(field, "", "a field that the report does not have", section)


def _number(line: Line, field: str, *, is_zero_empty: bool = False) -> Decimal:
    _demand(line, field)
    return number_or_zero(line[field], field) if is_zero_empty else number(line[field], field)


def _check_net(line: Line, net: Decimal) -> None:
    """Proceeds, commission and taxes make up the net cash; a report that lacks the taxes is found out here."""
    if line["netCash"] and abs(number(line["netCash"], "netCash") - net) > Decimal("0.01"):
        reason = f"proceeds, commission and taxes come to {plain(net)}"
        raise Refused("netCash", line["netCash"], reason, "tick Taxes and IB Commission in the query's Trades")


def _time(line: Line, *fields: str) -> str:
    """The first of the fields that is there, in UTC; a date where it has no time."""
    field = next((name for name in fields if line[name]), fields[0])
    _demand(line, field)
    match = _TIME.fullmatch(line[field])
    if match is None:
        remedy = "choose yyyy-MM-dd and HH:mm:ss in the query's settings"
        raise Refused(field, line[field], "a date, or a date and time was expected", remedy)
    try:
        day = datetime(int(match["year"]), int(match["month"]), int(match["day"]), tzinfo=_zone(match["zone"]))
        if match["hour"] is not None:
            day = day.replace(hour=int(match["hour"]), minute=int(match["minute"]), second=int(match["second"]))
        at = utc(day)
        return at if match["hour"] is not None else day.date().isoformat()
    except (ValueError, OverflowError) as error:  # no such day, or none in UTC
        raise Refused(field, line[field], str(error), "correct it") from None


@cache
def _zone(name: str | None) -> tzinfo:
    """The zone that a time names: New York's where it names none."""
    if name in (None, "EST", "EDT"):
        return ZoneInfo("America/New_York")
    if name in ("Z", "UTC"):
        return timezone.utc  # noqa: UP017 -- beside other time zones
    return datetime.strptime(str(name), "%z").tzinfo or ZoneInfo("America/New_York")


IBKR_FLEX = Format(
    name="interactive-brokers-flex",
    version="3",
    title="Interactive Brokers Activity Flex Query (XML)",
    recognises=_is_flex,
    parse=_parse,
)
