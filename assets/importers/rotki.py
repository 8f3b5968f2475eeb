"""rotki's generic import format: trades and events that people wrote for it by hand or by script.

Belongs here: the three layouts and their types. Must not be here: rotki's own database or its exports of accounting.

Layouts after rotki's user guide, "rotki Generic Import" (rotki/docs, July 2026): trades with Spend and Receive
columns, events. The trades template of 2022 had Base and Quote Currency with a Type (rotki 1.25): `Buy` gives the
quote for the base, `Sell` the base for the quote, and each amount says which it is. Time stamps are milliseconds of
the Unix epoch in UTC; the template of 2022 also showed ISO times. Assets are rotki's identifiers: a symbol, or
CAIP-19 for tokens.
"""

from datetime import UTC, datetime

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
    plain_or_empty,
    positive,
    read_lines,
    utc,
)
from assets.importers.exchanges import Leg, trade_rows
from assets.importers.model import Format, Parsed, SourceFile, Symbols
from assets.registry.identifiers import Refusal, held_instrument_id

_SHARED = {"Location", "Fee", "Fee Currency", "Description", "Timestamp"}
_TRADES = _SHARED | {"Spend Currency", "Spend Amount", "Receive Currency", "Receive Amount"}
_TRADES_2022 = _SHARED | {"Base Currency", "Quote Currency", "Type", "Buy Amount", "Sell Amount"}
_EVENTS = _SHARED | {"Type", "Currency", "Amount"}
_MILLISECONDS_DIGITS = 13
_SECONDS_DIGITS = 10


def _is_trades(header: frozenset[str]) -> bool:
    return header >= _TRADES


def _is_trades_2022(header: frozenset[str]) -> bool:
    return header >= _TRADES_2022


def _is_events(header: frozenset[str]) -> bool:
    return header >= _EVENTS


def _parse_trades(source: SourceFile, symbols: Symbols) -> Parsed:
    account = Account()

    def read(line: Line) -> None:
        _read_trade(line, symbols, account, "Spend Currency", "Spend Amount", "Receive Currency", "Receive Amount")

    account.each(read_lines(source.text, _is_trades)[1], read)
    return account.parsed


def _parse_trades_2022(source: SourceFile, symbols: Symbols) -> Parsed:
    account = Account()

    def read(line: Line) -> None:
        base, quote = "Base Currency", "Quote Currency"
        if line["Type"] not in ("Buy", "Sell"):
            raise Refused("Type", line["Type"], "Buy or Sell was expected", "write one of them")
        given, received = (quote, base) if line["Type"] == "Buy" else (base, quote)
        _read_trade(line, symbols, account, given, "Sell Amount", received, "Buy Amount")

    account.each(read_lines(source.text, _is_trades_2022)[1], read)
    return account.parsed


def _parse_events(source: SourceFile, symbols: Symbols) -> Parsed:
    account = Account()
    account.each(read_lines(source.text, _is_events)[1], lambda line: _read_event(line, symbols, account))
    return account.parsed


def _read_trade(
    line: Line, symbols: Symbols, account: Account, given: str, spent: str, received: str, bought: str
) -> None:
    legs = []
    for asset, amount in ((given, spent), (received, bought)):
        quantity = positive(number(line[amount], amount), amount, line[amount])
        legs.append(Leg(_asset(symbols, line[asset], asset), quantity))
    common = {"executed_at": _time(line["Timestamp"]), "note": note(line["Description"])}
    fee = _fee(line, symbols)
    rows = trade_rows(*_with_fee(legs, fee), common, account.identity(line), _third_fee(legs, fee))
    for row in rows:
        account.add(line.number, row, line["Location"])


def _read_event(line: Line, symbols: Symbols, account: Account) -> None:
    quantity = positive(number(line["Amount"], "Amount"), "Amount", line["Amount"])
    asset = _asset(symbols, line["Currency"], "Currency")
    fee = _fee(line, symbols)
    row = {
        "executed_at": _time(line["Timestamp"]),
        "type": _event_type(line["Type"], asset),
        "instrument": asset,
        "quantity": plain(quantity),
        "fee": plain_or_empty(fee.quantity) if fee else "",
        "fee_currency": fee.instrument if fee else "",
        "note": note(line["Type"] if line["Type"] in ("Loss", "Spend", "Income") else "", line["Description"]),
    }
    if row["type"] == "INTEREST":
        row["currency"] = asset
        if fee and fee.instrument == asset:  # INTEREST is the net receipt
            row["quantity"] = plain(positive(quantity - fee.quantity, "Fee", line["Fee"]))
    account.add(line.number, row | {"external_id": account.identity(line)}, line["Location"])


def _event_type(text: str, asset: str) -> str:
    """What is lost or spent leaves the portfolio; income in coins is income in kind, in money it is interest."""
    types = {"Deposit": "DEPOSIT", "Withdrawal": "WITHDRAWAL", "Loss": "WITHDRAWAL", "Spend": "WITHDRAWAL"}
    if text in types:
        return types[text]
    if text in ("Income", "Staking"):
        return "INTEREST" if is_fiat(asset) else "AIRDROP" if text == "Income" else "STAKING_REWARD"
    reason = "one of Deposit, Withdrawal, Income, Loss, Spend, Staking was expected"
    raise Refused("Type", text, reason, "write one of them, or enter the line in transactions/*.csv by hand")


def _asset(symbols: Symbols, text: str, column: str) -> str:
    if text.startswith("eip155:"):
        try:
            return held_instrument_id(text)
        except Refusal as refusal:
            raise Refused(column, text, f"{refusal.expected} was expected", refusal.remedy) from None
    return currency(symbols, text, column)


def _fee(line: Line, symbols: Symbols) -> Leg | None:
    fee = number_or_zero(line["Fee"], "Fee")
    if fee < 0:
        raise Refused("Fee", line["Fee"], "a fee of 0 or more was expected", "write it without its sign")
    return Leg(_asset(symbols, line["Fee Currency"], "Fee Currency"), fee) if fee else None


def _with_fee(legs: list[Leg], fee: Leg | None) -> tuple[Leg, Leg]:
    """The legs, with the fee on the one whose instrument it is paid in."""
    given, received = legs
    if fee and fee.instrument == received.instrument:
        received = Leg(received.instrument, received.quantity, fee.quantity)
    elif fee and fee.instrument == given.instrument:
        given = Leg(given.instrument, given.quantity, fee.quantity)
    return given, received


def _third_fee(legs: list[Leg], fee: Leg | None) -> tuple[Leg, ...]:
    return (fee,) if fee and fee.instrument not in {leg.instrument for leg in legs} else ()


def _time(text: str) -> str:
    if text.isascii() and text.isdigit() and len(text) in (_SECONDS_DIGITS, _MILLISECONDS_DIGITS):
        seconds, milliseconds = divmod(int(text), 1000) if len(text) == _MILLISECONDS_DIGITS else (int(text), 0)
        return utc(datetime.fromtimestamp(seconds, UTC).replace(microsecond=milliseconds * 1000))
    if text.isdigit():
        raise Refused("Timestamp", text, "milliseconds of the Unix epoch were expected", "write 13 digits")
    return instant(text, "Timestamp")


ROTKI_TRADES = Format(
    name="rotki-trades",
    version="2025",
    title="rotki generic trades",
    recognises=lambda source: header_of(source.text, _is_trades) is not None,
    parse=_parse_trades,
)
ROTKI_TRADES_2022 = Format(
    name="rotki-trades",
    version="2022",
    title="rotki generic trades (base and quote)",
    recognises=lambda source: header_of(source.text, _is_trades_2022) is not None,
    parse=_parse_trades_2022,
)
ROTKI_EVENTS = Format(
    name="rotki-events",
    version="2022",
    title="rotki generic events",
    recognises=lambda source: header_of(source.text, _is_events) is not None,
    parse=_parse_events,
)
