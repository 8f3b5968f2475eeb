"""Portfolio Performance: transactions as CSV (File → Export → CSV), in English or German.

Belongs here: what its transactions mean. Must not be here: files, portfolios.

Facts, from its public repository (datatransfer/csv/exporter/CSVExporter.java, model/labels*.properties): one layout for
deposit accounts, securities accounts and all transactions together; no column names an account. Numbers and delimiter
follow the person's region: `;` where the decimal mark is a comma, else `,`. Dates are ISO without a zone, midnight
where no time was entered. Value is net: with fees and taxes for a purchase, less them for a sale or an income. It is
negative where it lessens what the exported account holds: a purchase in a deposit account, a sale in a securities
account.

So each purchase and sale stands in two files (twice in the file of all transactions) with opposite signs. Both lines
get one external_id, and the second is taken as told already.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from assets.importers.csv_records import Record, Table, header_of, read_table
from assets.importers.identity import ContentIds
from assets.importers.model import CanonicalRow, Format, Parsed, SourceFile, Symbols, UnknownSymbolError
from assets.importers.symbols import currency_symbols, remedy
from assets.importers.values import EXACT, LineRefusal, Style, decimal, major_unit, moment, plain, plain_or_empty

_ENGLISH = {
    "Date": "date", "Type": "type", "Value": "value", "Transaction Currency": "currency", "Fees": "fees",
    "Taxes": "taxes", "Shares": "shares", "ISIN": "isin", "WKN": "wkn", "Ticker Symbol": "ticker",
    "Security Name": "name", "Note": "note",
}  # fmt: skip
_GERMAN = {
    "Datum": "date", "Typ": "type", "Wert": "value", "Buchungswährung": "currency", "Gebühren": "fees",
    "Steuern": "taxes", "Stück": "shares", "ISIN": "isin", "WKN": "wkn", "Ticker-Symbol": "ticker",
    "Wertpapiername": "name", "Notiz": "note",
}  # fmt: skip
_TYPES = {
    "Buy": "BUY", "Kauf": "BUY",
    "Sell": "SELL", "Verkauf": "SELL",
    "Deposit": "DEPOSIT", "Einlage": "DEPOSIT",
    "Removal": "WITHDRAWAL", "Entnahme": "WITHDRAWAL",
    "Dividend": "DIVIDEND", "Dividende": "DIVIDEND",
    "Interest": "INTEREST", "Zinsen": "INTEREST",
    "Interest Charge": "INTEREST_CHARGE", "Zinsbelastung": "INTEREST_CHARGE",
    "Fees": "FEE", "Gebühren": "FEE",
    "Fees Refund": "FEE_REFUND", "Gebührenerstattung": "FEE_REFUND",
    "Taxes": "TAX", "Steuern": "TAX",
    "Tax Refund": "TAX_REFUND", "Steuerrückerstattung": "TAX_REFUND",
    "Delivery (Inbound)": "DELIVERY_IN", "Einlieferung": "DELIVERY_IN",
    "Delivery (Outbound)": "DELIVERY_OUT", "Auslieferung": "DELIVERY_OUT",
    "Transfer (Inbound)": "TRANSFER_IN", "Umbuchung (Eingang)": "TRANSFER_IN",
    "Transfer (Outbound)": "TRANSFER_OUT", "Umbuchung (Ausgang)": "TRANSFER_OUT",
}  # fmt: skip
_TOLD_TWICE = frozenset({"BUY", "SELL"})
_NEVER_NEGATIVE = frozenset({"DEPOSIT", "DIVIDEND", "INTEREST", "FEE_REFUND", "TAX_REFUND", "DELIVERY_IN"})
_COIN_PAIR = re.compile(r"([A-Z0-9]{2,10})(?:-(?:EUR|USD|GBP|CHF))?")


@dataclass(frozen=True)
class _Line:
    """A record in words of the program, its numbers read; money in whole units of `money`."""

    values: Mapping[str, str]
    money: str
    value: Decimal
    fees: Decimal
    taxes: Decimal
    shares: Decimal

    @property
    def net(self) -> Decimal:
        return abs(self.value)

    @property
    def content(self) -> tuple[str, ...]:
        """What identifies it. Names and notes are edited later, and the language changes the spelling of numbers."""
        security = next((self.values[key] for key in ("isin", "ticker", "wkn", "name") if self.values[key]), "")
        numbers = (plain(number) for number in (self.net, self.fees, self.taxes, self.shares))
        return self.values["date"], self.values["currency"], security, *numbers

    @property
    def charges(self) -> Decimal:
        return EXACT.add(self.fees, self.taxes)


def _recognises(source: SourceFile) -> bool:
    names = set(header_of(source.text)[0])
    return names >= _ENGLISH.keys() or names >= _GERMAN.keys()


def _parse(source: SourceFile, symbols: Symbols) -> Parsed:
    table = read_table(source.text)
    style: Style = "comma" if table.delimiter == ";" else "point"
    words = _ENGLISH if set(table.header) >= _ENGLISH.keys() else _GERMAN
    shown = {word: name for name, word in words.items()}
    ids, groups, parsed = ContentIds("pp"), ContentIds("pp-transfer"), Parsed()
    told: dict[str, int] = {}
    for record in table.records:
        try:
            values = _words(record, words, table)
            kind = _TYPES.get(values["type"])
            if kind is None:
                raise LineRefusal("type", values["type"], f"expected one of {', '.join(_TYPES)}", "correct it")
            line = _read(values, style, symbols)
            row = _row(kind, line, symbols)
        except LineRefusal as refusal:
            reject = refusal.at(record.line)
            parsed.rejects.append(replace(reject, column=shown.get(reject.column, reject.column)))
            continue
        side = ("negative" if line.value < 0 else "positive") if kind in _TOLD_TWICE else ""
        row["external_id"] = ids.next((kind, *line.content), side)
        if kind.startswith("TRANSFER"):
            moved = (values["date"], row["instrument"], row["quantity"])
            row["group_id"] = groups.next(moved, kind)
        elif row["external_id"] in told:
            first = told[row["external_id"]]
            parsed.ignored[record.line] = f"the other side of a trade that the file tells already (line {first})"
            continue
        told[row["external_id"]] = record.line
        parsed.rows.append(CanonicalRow.of(record.line, row))
    return parsed


def _words(record: Record, words: Mapping[str, str], table: Table) -> dict[str, str]:
    if record.is_ragged:
        reason = f"expected {len(table.header)} values as in the header"
        raise LineRefusal("", f"{len(record.fields)} values", reason, "export the file again")
    return {word: record.values[name] for name, word in words.items()}


def _read(values: Mapping[str, str], style: Style, symbols: Symbols) -> _Line:
    code, share = major_unit(values["currency"])
    try:
        money = symbols.currency(code)
    except UnknownSymbolError as error:
        raise LineRefusal("currency", code, str(error), remedy(code, "fiat:EUR")) from None
    value, fees, taxes = (EXACT.multiply(decimal(values, name, style), share) for name in ("value", "fees", "taxes"))
    return _Line(values, money, value, fees, taxes, decimal(values, "shares", style))


def _row(kind: str, line: _Line, symbols: Symbols) -> dict[str, str]:
    if line.value < 0 and kind in _NEVER_NEGATIVE:
        reason = "expected no minus with this type; a correction of an earlier one, perhaps"
        raise LineRefusal("value", line.values["value"], reason, "book it by hand, for instance as FEE or TAX")
    row = {"executed_at": moment(line.values["date"], "date"), "type": kind, "note": line.values["note"]}
    charges = {"fee": plain_or_empty(line.fees), "tax": plain_or_empty(line.taxes)}
    if kind in ("BUY", "SELL"):
        charged = EXACT.subtract(line.net, line.charges) if kind == "BUY" else EXACT.add(line.net, line.charges)
        if charged < 0:
            raise LineRefusal(
                "value", line.values["value"], "expected a value not below its fees and taxes", "correct it"
            )
        row |= {"instrument": _security(line.values, symbols), "quantity": plain(line.shares), "amount": plain(charged)}
        return row | charges | {"currency": line.money}
    if kind in ("DELIVERY_IN", "DELIVERY_OUT"):
        row |= {"instrument": _security(line.values, symbols), "quantity": plain(line.shares)}
        if kind == "DELIVERY_OUT":
            return row | {"type": "WITHDRAWAL"}
        # its value is what it cost, fees and taxes included; no money of this account was moved
        cost = {"amount": plain(line.net), "currency": line.money} if line.net else {}
        return row | {"type": "DEPOSIT"} | cost
    if kind in ("TRANSFER_IN", "TRANSFER_OUT"):
        if line.shares:
            return row | {"instrument": _security(line.values, symbols), "quantity": plain(line.shares)}
        return row | {"instrument": line.money, "quantity": plain(line.net)}
    if kind == "DIVIDEND":
        row["instrument"] = _security(line.values, symbols)
    elif kind == "INTEREST":
        row["instrument"] = line.money
    if kind in ("DIVIDEND", "INTEREST"):
        return row | {"quantity": plain(line.net), "currency": line.money} | charges
    # what is left moves money alone: DEPOSIT, WITHDRAWAL, INTEREST_CHARGE, FEE, FEE_REFUND, TAX, TAX_REFUND
    about = line.values["name"]  # a fee or tax may belong to a security
    note = "; ".join(text for text in (line.values["note"], about) if text)
    return row | {"instrument": line.money, "quantity": plain(line.net), "note": note}


def _security(values: Mapping[str, str], symbols: Symbols) -> str:
    isin, ticker, wkn, name = (values[key] for key in ("isin", "ticker", "wkn", "name"))
    for symbol in (isin, ticker, wkn, name):
        own = symbols.mapped(symbol) if symbol else None
        if own is not None:
            return own
    named = isin or ticker or wkn or name
    try:
        pair = _COIN_PAIR.fullmatch(ticker)
        coin = currency_symbols().get(pair[1], "") if pair and not isin else ""
        if pair and coin.startswith("crypto:"):
            if pair[0] != pair[1]:
                return symbols.currency(pair[1])
            raise UnknownSymbolError(f"{ticker} without an ISIN may be a listed thing or the coin {coin}")
        return symbols.security(ticker, isin=isin)
    except UnknownSymbolError as error:
        reason = str(error) if named else "expected a security with an ISIN, a ticker, a WKN or a name"
        raise LineRefusal("ticker" if ticker else "name", named, reason, remedy(named, "equity:AAPL")) from None


PORTFOLIO_PERFORMANCE = Format("portfolio-performance", "2018", "Portfolio Performance CSV export", _recognises, _parse)
