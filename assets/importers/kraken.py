"""Kraken: the history exports `ledgers.csv` and `trades.csv`.

Belongs here: Kraken's asset codes, what its types of ledger lines mean, joining the lines of one trade. Must not be
here: its API.

Layouts after Kraken's support pages "How to interpret Ledger history fields" and "How to interpret Trades history
fields", and the headers that tax tools read (July 2026): ledgers of before 2020 lack `subtype`; later ones gained
`wallet` (2024), `amountusd`, `subclass` (2025). Columns are taken by name. Times are UTC. A ledger line changes the
balance of its asset by amount - fee. Lines of a trade share their `refid`, which is the `txid` of that trade in
trades.csv, so both files give it the same id. The ledgers hold everything; trades.csv alone lacks deposits and income.
"""

import re
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
from assets.importers.model import Format, Parsed, SourceFile, Symbols, UnknownSymbolError

#: Kraken's codes where they are not the usual ones. X and Z before four letters: its first coins and moneys.
CODES = {
    "XXBT": "BTC", "XBT": "BTC", "XETH": "ETH", "ETH2": "ETH", "XXDG": "DOGE", "XDG": "DOGE", "XLTC": "LTC",
    "XXRP": "XRP", "XXLM": "XLM", "XXMR": "XMR", "XZEC": "ZEC", "XETC": "ETC", "XREP": "REP", "XMLN": "MLN",
    "ZUSD": "USD", "ZEUR": "EUR", "ZGBP": "GBP", "ZCAD": "CAD", "ZJPY": "JPY", "ZAUD": "AUD", "ZCHF": "CHF",
    "ZSEK": "SEK", "ZDKK": "DKK", "ZPLN": "PLN", "ZMXN": "MXN",
}  # fmt: skip
#: Staked (.S, with the days that it is bonded), opted in to rewards (.M), flexible (.F), parachain (.P), bonded (.B).
_FORM = re.compile(r"(?P<code>[A-Z0-9]+?)(?:03|04|07|14|21|28)?\.(?:S|M|F|P|B|HOLD)")
#: What is behind the slash or at the end of a pair; longest first.
_QUOTES = (
    "ZUSD", "ZEUR", "ZGBP", "ZCAD", "ZJPY", "ZAUD", "XXBT", "XETH", "USDC", "USDT", "PYUSD", "RLUSD", "EURC",
    "USD", "EUR", "GBP", "CAD", "JPY", "AUD", "CHF", "AED", "XBT", "BTC", "ETH", "DAI", "DOT", "SOL",
)  # fmt: skip
FEE_CREDITS = "KFEE"
_LEDGERS = {"txid", "refid", "time", "type", "asset", "amount", "fee"}
_TRADES = {"txid", "pair", "time", "type", "price", "cost", "fee", "vol"}
_TRADE_TYPES = ("trade", "spend", "receive")
_BETWEEN_WALLETS = {
    "transfer": ("spottostaking", "stakingfromspot", "stakingtospot", "spotfromstaking"),
    "earn": ("allocation", "deallocation", "autoallocation", "autoallocate", "migration"),
}
_FUTURES = {"spottofutures": "WITHDRAWAL", "spotfromfutures": "DEPOSIT"}
_BY_HAND = "enter what it was in transactions/*.csv by hand"


def _is_ledgers(header: frozenset[str]) -> bool:
    return header >= _LEDGERS


def _is_trades(header: frozenset[str]) -> bool:
    return header >= _TRADES and "asset" not in header


def _parse_ledgers(source: SourceFile, symbols: Symbols) -> Parsed:
    account = Account()
    trades: dict[str, list[Line]] = {}

    def read(line: Line) -> None:
        if not line["txid"]:
            account.ignore(line.number, "pending: the line that completes it has a txid")
        elif line["asset"] == FEE_CREDITS:
            account.ignore(line.number, "fee credits are no money and no coin")
        elif account.is_repeated(line, line["txid"]):
            pass
        elif line["aclass"] not in ("", "currency"):
            raise Refused("aclass", line["aclass"], "neither money nor a coin", _BY_HAND)
        elif line["type"] in _TRADE_TYPES and line["refid"]:
            trades.setdefault(line["refid"], []).append(line)
        else:
            _read_single(line, symbols, account)

    account.each(read_lines(source.text, _is_ledgers)[1], read)
    for refid, lines in trades.items():
        _read_trade(refid, lines, symbols, account)
    account.parsed.rows.sort(key=lambda row: row.line)
    return account.parsed


def _read_trade(refid: str, lines: list[Line], symbols: Symbols, account: Account) -> None:
    """The lines of one trade; where one of them cannot be read, none of them counts."""
    at = lines[0]
    legs: list[tuple[Line, Decimal, Leg]] = []
    try:
        for at in lines:
            instrument, amount = _asset(symbols, at["asset"], "asset"), number(at["amount"], "amount")
            legs.append((at, amount, Leg(instrument, abs(amount), _fee(at))))
        at = lines[0]
        given = _joined([leg for _, amount, leg in legs if amount < 0])
        received = _joined([leg for _, amount, leg in legs if amount > 0])
        if not given or not received:
            reason = "the other side of this trade is not in the file"
            raise Refused("refid", refid, reason, "export the whole time range, all types")
        if {leg.instrument for leg in given} & {leg.instrument for leg in received}:
            reason = "one coin traded for another form of itself, which is one instrument here"
            raise Refused("refid", refid, reason, _BY_HAND)
        charges = tuple(Leg(leg.instrument, leg.fee) for _, amount, leg in legs if not amount and leg.fee > 0)
        common = {"executed_at": instant(at["time"], "time"), "note": _forms(lines)}
    except Refused as refused:
        for line in lines:
            other = Refused("refid", refid, f"its trade cannot be read, see line {at.number}", refused.remedy)
            account.reject(line.number, refused if line is at else other)
        return
    refid = account.identity(at, refid)
    if len(given) == len(received) == 1:
        rows = trade_rows(given[0], received[0], common, refid, charges)
    else:
        sides = [("SWAP_OUT", leg) for leg in given] + [("SWAP_IN", leg) for leg in received]
        rows = [common | swap_leg(kind, leg, refid, f"{refid}-{n}") for n, (kind, leg) in enumerate(sides, 1)]
        rows += [
            common | {"type": "FEE", "instrument": leg.instrument, "quantity": plain(leg.quantity)}
            | {"external_id": f"{refid}-fee{n}"} for n, leg in enumerate(charges, 1)
        ]  # fmt: skip
    for row in rows:
        account.add(at.number, row)
    for line in lines[1:]:
        account.ignore(line.number, f"joined with line {at.number} into one trade")


def _joined(legs: list[Leg]) -> list[Leg]:
    """One leg for each instrument."""
    sums: dict[str, Leg] = {}
    for leg in legs:
        before = sums.get(leg.instrument, Leg(leg.instrument, Decimal(0)))
        sums[leg.instrument] = Leg(leg.instrument, before.quantity + leg.quantity, before.fee + leg.fee)
    return list(sums.values())


def _read_single(line: Line, symbols: Symbols, account: Account) -> None:
    """A line that is a transaction of its own."""
    kind, subtype = line["type"], line["subtype"]
    if subtype in _BETWEEN_WALLETS.get(kind, ()):
        account.ignore(line.number, f"{subtype}: the same coin in another wallet of this account")
        return
    amount, fee = number(line["amount"], "amount"), number_or_zero(line["fee"], "fee")
    instrument = _asset(symbols, line["asset"], "asset")
    said = ""
    if kind in ("deposit", "withdrawal") or (kind == "transfer" and subtype in _FUTURES):
        row, said = _flow(line, amount)
    elif (kind == "staking" and not subtype) or (kind == "earn" and subtype == "reward"):
        row = _reward(line, amount, fee, instrument)
    elif kind in ("transfer", "earn") and subtype == "airdrop":
        row = {"type": "AIRDROP", "quantity": plain(positive(amount, "amount", line["amount"]))}
    elif kind in ("rollover", "margin") and not amount:
        said = "rollover of a margin position" if kind == "rollover" else "opening or closing of a margin position"
        charge = "INTEREST_CHARGE" if kind == "rollover" else "FEE"
        row, fee = {"type": charge, "quantity": plain(positive(fee, "fee", line["fee"]))}, Decimal(0)
    else:
        raise Refused("type", f"{kind} {subtype}".strip(), "a type of line that is not read", _BY_HAND)
    common = {
        "executed_at": instant(line["time"], "time"),
        "instrument": instrument,
        "note": note(said, _forms([line])),
    }
    external_id = account.identity(line, line["txid"])
    charged = {"fee": plain(fee), "fee_currency": instrument} if fee > 0 else {}
    account.add(line.number, common | row | charged | {"external_id": external_id})
    if fee < 0:
        refund = {"type": "FEE_REFUND", "quantity": plain(-fee), "external_id": f"{external_id}-fee"}
        account.add(line.number, common | refund)


def _flow(line: Line, amount: Decimal) -> tuple[dict[str, str], str]:
    """A deposit or withdrawal; with the other sign it is one that failed and was returned."""
    if not amount:
        raise Refused("amount", line["amount"], "an amount other than 0 was expected", _BY_HAND)
    kind = "DEPOSIT" if amount > 0 else "WITHDRAWAL"
    expected = _FUTURES.get(line["subtype"], line["type"].upper())
    said = "futures wallet" if line["subtype"] in _FUTURES else "" if kind == expected else f"{line['type']} reversed"
    return {"type": kind, "quantity": plain(abs(amount))}, said


def _reward(line: Line, amount: Decimal, fee: Decimal, instrument: str) -> dict[str, str]:
    """Of coins income in kind, before Kraken's fee; of money interest, which is told net."""
    positive(amount, "amount", line["amount"])
    if not is_fiat(instrument):
        return {"type": "STAKING_REWARD", "quantity": plain(amount)}
    return {"type": "INTEREST", "quantity": plain(positive(amount - fee, "fee", line["fee"])), "currency": instrument}


def _fee(line: Line) -> Decimal:
    fee = number_or_zero(line["fee"], "fee")
    if fee < 0:
        raise Refused("fee", line["fee"], "a fee of 0 or more was expected in a trade", _BY_HAND)
    return fee


def _parse_trades(source: SourceFile, symbols: Symbols) -> Parsed:
    account = Account()

    def read(line: Line) -> None:
        if account.is_repeated(line, line["txid"]):
            return
        if number_or_zero(line["margin"], "margin"):
            raise Refused("margin", line["margin"], "a trade on margin: what it moved is not here", "use ledgers.csv")
        if line["type"] not in ("buy", "sell"):
            raise Refused("type", line["type"], "buy or sell was expected", _BY_HAND)
        base, quote = _pair(symbols, line["pair"])
        asset = Leg(base, positive(number(line["vol"], "vol"), "vol", line["vol"]))
        money = Leg(quote, positive(number(line["cost"], "cost"), "cost", line["cost"]), _fee(line))
        given, received = (money, asset) if line["type"] == "buy" else (asset, money)
        common = {"executed_at": instant(line["time"], "time")}
        for row in trade_rows(given, received, common, account.identity(line, line["txid"])):
            account.add(line.number, row)

    account.each(read_lines(source.text, _is_trades)[1], read)
    return account.parsed


def _pair(symbols: Symbols, pair: str) -> tuple[str, str]:
    """Base and quote of a pair: at the slash, else at the one place where both parts are known."""
    if "/" in pair:
        base, _, quote = pair.partition("/")
        return _asset(symbols, base, "pair"), _asset(symbols, quote, "pair")
    found = set()
    for quote in _QUOTES:
        base = pair.removesuffix(quote)
        if base not in ("", pair):
            try:
                found.add((symbols.currency(usual_code(base)), symbols.currency(usual_code(quote))))
            except UnknownSymbolError:
                continue
    if len(found) != 1:
        reason = "parts in more than one way into two known assets" if found else "does not part into two known assets"
        raise Refused("pair", pair, reason, "use ledgers.csv, or name its coin with --map SYMBOL=INSTRUMENT")
    return found.pop()


def _asset(symbols: Symbols, code: str, column: str) -> str:
    return currency(symbols, usual_code(code), column)


def usual_code(code: str) -> str:
    """The usual symbol of a code of Kraken's."""
    form = _FORM.fullmatch(code)
    bare = form["code"] if form else code
    return CODES.get(bare, bare)


def _forms(lines: list[Line]) -> str:
    """A note of the forms of a coin that Kraken tells apart and the ledger does not."""
    return note(*(line["asset"] for line in lines if _FORM.fullmatch(line["asset"]) or line["asset"] == "ETH2"))


KRAKEN_LEDGERS = Format(
    name="kraken-ledgers",
    version="2020",
    title="Kraken ledgers.csv",
    recognises=lambda source: header_of(source.text, _is_ledgers) is not None,
    parse=_parse_ledgers,
)
KRAKEN_TRADES = Format(
    name="kraken-trades",
    version="2020",
    title="Kraken trades.csv",
    recognises=lambda source: header_of(source.text, _is_trades) is not None,
    parse=_parse_trades,
)
