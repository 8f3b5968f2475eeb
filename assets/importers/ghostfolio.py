"""Ghostfolio: the JSON file of its export (Portfolio → Activities → Export).

Belongs here: what its activities mean. Must not be here: files, portfolios.

Facts, from its public repository (apps/api/src/app/export/export.service.ts and its sample files): `activities` with
accountId, comment, currency, dataSource, date (ISO, UTC), fee, quantity, symbol, type, unitPrice and, in newer
versions, id; `accounts` with id and name; `assetProfiles` for the person's own assets (dataSource MANUAL). An
activity's value is quantity × unitPrice; its fee comes on top of a purchase and off a sale. Money itself has no
activities: balances of accounts are states, so a portfolio of these files is `cash: implicit` unless deposits are
added by hand.
"""

import json
import re
from decimal import Decimal
from typing import Any

from assets.importers.identity import ContentIds
from assets.importers.model import CanonicalRow, Format, Parsed, SourceFile, Symbols, UnknownSymbolError
from assets.importers.symbols import coingecko_coins, currency_symbols, remedy
from assets.importers.values import EXACT, LineRefusal, major_unit, moment, plain, plain_or_empty

_TRADES = frozenset({"BUY", "SELL", "ITEM"})
# Ghostfolio names coins of Yahoo as BTCUSD, in dollars whatever the activity's currency.
_COIN_PAIR = re.compile(r"([A-Z0-9]{2,10})-?USD")
_CONTENT = ("accountId", "currency", "dataSource", "date", "fee", "quantity", "symbol", "type", "unitPrice")
_JSON_CONSTANTS = "NaN and Infinity are no numbers"

_Activity = dict[str, Any]


def _recognises(source: SourceFile) -> bool:
    if not source.text.lstrip().startswith("{"):
        return False
    try:
        activities = _load(source.text).get("activities")
    except ValueError:
        return False
    if not isinstance(activities, list):
        return False
    return all(isinstance(a, dict) and {"unitPrice", "type", "symbol"} <= a.keys() for a in activities[:1])


def _parse(source: SourceFile, symbols: Symbols) -> Parsed:
    document = _load(source.text)
    names = {a["id"]: str(a.get("name") or a["id"]) for a in _dicts(document, "accounts") if "id" in a}
    profiles = {str(p.get("symbol")): p for p in _dicts(document, "assetProfiles")}
    ids, parsed = ContentIds("ghostfolio"), Parsed()
    activities = document["activities"]
    for entry, activity in enumerate(activities, start=1):
        activities[entry - 1] = None  # of a million, those that have become rows are let go
        try:
            if not isinstance(activity, dict):
                raise LineRefusal("activities", activity, "expected an activity {…}", "export the file again")
            if _is_empty_draft(activity):
                parsed.ignored[entry] = "a draft with quantity, price and fee 0 moves nothing"
                continue
            values = _values(activity, profiles, symbols)
        except LineRefusal as refusal:
            parsed.rejects.append(refusal.at(entry))
            continue
        content = ids.next(str(activity.get(name)) for name in _CONTENT)
        values["external_id"] = str(activity.get("id") or content)
        account = str(names.get(activity.get("accountId"), activity.get("accountId") or ""))
        parsed.rows.append(CanonicalRow.of(entry, values, account))
    return parsed


def _values(activity: _Activity, profiles: dict[str, _Activity], symbols: Symbols) -> dict[str, str]:
    kind = str(activity.get("type") or "")
    code, share = major_unit(str(activity.get("currency") or ""))
    money = _money(code, symbols)
    quantity, price, fee = (_number(activity, name) for name in ("quantity", "unitPrice", "fee"))
    price, fee = EXACT.multiply(price, share), EXACT.multiply(fee, share)
    worth = EXACT.multiply(quantity, price)
    values = {
        "executed_at": moment(str(activity.get("date") or "").replace(".000Z", "Z"), "date"),
        "currency": money,
        "note": str(activity.get("comment") or ""),
    }
    if kind in _TRADES:
        # an ITEM (a thing of value, in older versions) was there already: it comes in with its price as cost
        values |= {"type": "DEPOSIT" if kind == "ITEM" else kind, "quantity": plain(quantity), "price": plain(price)}
        values |= {"fee": plain_or_empty(fee), "instrument": _instrument(activity, profiles, symbols)}
        return values
    if kind == "DIVIDEND":
        values |= {"type": kind, "instrument": _instrument(activity, profiles, symbols)}
        return values | {"quantity": plain(EXACT.subtract(worth, fee)), "fee": plain_or_empty(fee)}
    if kind == "INTEREST":
        values |= {"type": kind, "instrument": money}
        return values | {"quantity": plain(EXACT.subtract(worth, fee)), "fee": plain_or_empty(fee)}
    if kind == "FEE":
        values["note"] = values["note"] or str(profiles.get(str(activity.get("symbol")), {}).get("name") or "")
        del values["currency"]
        return values | {"type": kind, "instrument": money, "quantity": plain(EXACT.add(worth, fee))}
    if kind == "LIABILITY":
        reason = "a liability is a debt as it stands, not a movement; Holdfast books movements"
        raise LineRefusal("type", kind, reason, "leave it out with --accept-rejects")
    raise LineRefusal(
        "type", kind, "expected BUY, SELL, DIVIDEND, INTEREST, FEE or ITEM", "the layout may be a newer one"
    )


def _instrument(activity: _Activity, profiles: dict[str, _Activity], symbols: Symbols) -> str:
    symbol, source = str(activity.get("symbol") or ""), str(activity.get("dataSource") or "")
    own = symbols.mapped(symbol)
    if own is not None:
        return own
    profile = profiles.get(symbol, {})
    if source == "MANUAL":
        name = str(profile.get("name") or symbol)
        slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "my-thing"
        todo = f"{remedy(symbol, f'custom:{slug}')}, and declare that id in instruments.csv with its quote_currency"
        raise LineRefusal("symbol", symbol, f"{name} is an asset of your own, which only you can name", todo)
    pair = _COIN_PAIR.fullmatch(symbol)
    try:
        if source == "COINGECKO":
            code = coingecko_coins().get(symbol)
            if code is None:
                raise UnknownSymbolError(f"{symbol} is no CoinGecko id in the reviewed list")
            return symbols.currency(code)
        if pair and currency_symbols().get(pair[1], "").startswith("crypto:"):
            return symbols.currency(pair[1])
        kind = "etf" if profile.get("assetSubClass") == "ETF" else "equity"
        return symbols.security(symbol, isin=str(profile.get("isin") or ""), asset_class=kind)
    except UnknownSymbolError as error:
        raise LineRefusal("symbol", symbol, str(error), remedy(symbol)) from None


def _money(code: str, symbols: Symbols) -> str:
    try:
        return symbols.currency(code)
    except UnknownSymbolError as error:
        raise LineRefusal("currency", code, str(error), remedy(code, "fiat:USD")) from None


def _is_empty_draft(activity: _Activity) -> bool:
    return all(activity.get(name) == 0 for name in ("quantity", "unitPrice", "fee"))


def _number(activity: _Activity, name: str) -> Decimal:
    value = activity.get(name)
    if isinstance(value, Decimal) and value.is_finite():
        return value
    raise LineRefusal(name, value, "expected a number", "export the file again")


def _dicts(document: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """Parts that not every version writes."""
    listed = document.get(name)
    return [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []


def _load(text: str) -> dict[str, Any]:
    def refuse(constant: str) -> None:
        raise ValueError(f"{constant}: {_JSON_CONSTANTS}")

    document = json.loads(text, parse_float=Decimal, parse_int=Decimal, parse_constant=refuse)
    if not isinstance(document, dict):
        raise ValueError("no JSON object")
    return document


GHOSTFOLIO = Format("ghostfolio", "2", "Ghostfolio JSON export", _recognises, _parse, unit="activity")
