"""An instrument's name at each source.

Belongs here: the owner's own symbols, the reviewed files in `data/`, and the few rules that need no list.
Must not be here: requests; whether a source has the symbol, it says itself. A symbol that nobody reviewed names
nothing: then the source is not asked, and the instrument is priced by another source, by the owner's `ccxt_symbol` and
`yfinance_symbol`, or by prices/*.csv.
"""

import csv
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from assets.importers.symbols import coingecko_coins, currency_symbols
from assets.market.model import Instrument, SourceSymbol
from assets.registry.chains import chains_by_id

_US_TICKER = re.compile(r"[A-Z]{1,5}(?:-[A-Z])?")
_TOKEN = re.compile(r"eip155:(?P<chain>[0-9]+)/(?:erc20:(?P<address>0x[0-9a-fA-F]{40})|(?P<native>slip44:60))")
# in which money an exchange's reviewed coins are asked for; of these exchanges only, all others need the owner's word
_QUOTES = {"binance": "USDT", "kraken": "USD", "coinbase": "USD"}


def asset_class_of(instrument: Instrument) -> str:
    """As registered, else by the id: `eip155:…` is a token."""
    kind = instrument.id.partition(":")[0]
    return instrument.asset_class or ("token" if kind == "eip155" else kind)


def ccxt_symbol(instrument: Instrument, exchange: str) -> SourceSymbol | None:
    """`BTC/USDT` on Binance, `BTC/USD` on Kraken and Coinbase; the currency is what the pair says, never its peg."""
    given = _given_pair(instrument.ccxt_symbol or "", exchange)
    if given is None:
        code, quote = _coin_code(instrument.id), _QUOTES.get(exchange)
        if code is None or quote is None or code == quote:
            return None
        given = f"{code}/{quote}"
    currency = currency_symbols().get(given.partition("/")[2].partition(":")[0])
    return None if currency is None else SourceSymbol(exchange, instrument.id, given, currency)


def yahoo_symbol(instrument: Instrument) -> SourceSymbol | None:
    """Listed US things by their ticker, others as reviewed or given; exchange rates in US dollars.

    A dollar price of a currency is quoted the way the market quotes it (`EURUSD=X`): the symbol `JPY=X` would be yen
    for a dollar.
    """
    given = instrument.yfinance_symbol or _reviewed("yahoo").get(instrument.id)
    kind, _, code = instrument.id.partition(":")
    if given is None and kind in ("equity", "etf") and _US_TICKER.fullmatch(code):
        given = code
    if given is None and kind == "fiat" and code != "USD":
        given = f"{code}USD=X"
    return None if given is None else SourceSymbol("yahoo", instrument.id, given, None)


def ecb_symbol(instrument: Instrument) -> SourceSymbol | None:
    """Units of the currency for one euro: the price is that of `fiat:EUR`. Without a euro rate of its own, the euro."""
    kind, _, code = instrument.id.partition(":")
    if kind != "fiat" or code == "EUR":
        return None
    return SourceSymbol("ecb", "fiat:EUR", code, instrument.id)


def coingecko_symbol(instrument: Instrument) -> SourceSymbol | None:
    """`bitcoin` for a reviewed coin, `arbitrum-one/0x…` for a token by its chain's name there and its address."""
    code = _coin_code(instrument.id)
    by_code = {code: coin for coin, code in coingecko_coins().items()}
    if code is not None:
        coin = by_code.get(code)
        return None if coin is None else SourceSymbol("coingecko", instrument.id, coin, "fiat:USD")
    found = _on_chain(instrument.id, "coingecko")
    return None if found is None else SourceSymbol("coingecko", instrument.id, "/".join(found), "fiat:USD")


def defillama_symbol(instrument: Instrument) -> SourceSymbol | None:
    """`coingecko:bitcoin` for a reviewed coin, `avax:0x…` for a token."""
    coin = coingecko_symbol(instrument)
    found = _on_chain(instrument.id, "defillama")
    if found is not None:
        return SourceSymbol("defillama", instrument.id, ":".join(found), "fiat:USD")
    if coin is None or "/" in coin.symbol:
        return None
    return SourceSymbol("defillama", instrument.id, f"coingecko:{coin.symbol}", "fiat:USD")


@dataclass(frozen=True, slots=True)
class Feed:
    """One price feed; `description` is what the contract must say of itself before it is believed."""

    instrument_id: str
    currency: str
    chain: str
    address: str
    description: str
    max_age_seconds: int


@cache
def feeds() -> dict[str, Feed]:
    """data/chainlink_feeds.csv by instrument."""
    return {
        row["instrument"]: Feed(
            row["instrument"], row["currency"], row["chain"], row["address"], row["description"],
            int(row["max_age_seconds"]),
        )
        for row in _rows("chainlink_feeds.csv")
    }  # fmt: skip


def reviewed_instruments() -> tuple[tuple[str, str], ...]:
    """Instruments of data/source_symbols.csv with what the file says of them."""
    return tuple((row["instrument"], row["note"]) for row in _rows("source_symbols.csv"))


def _given_pair(text: str, exchange: str) -> str | None:
    """The owner's pair for one exchange: `kraken:BTC/USD` before a pair without a name, which is for all of them."""
    pairs = [one.rpartition(":") if "/" not in one.partition(":")[0] else ("", "", one) for one in text.split()]
    for_it = [pair for name, _, pair in pairs if name == exchange] or [pair for name, _, pair in pairs if not name]
    return for_it[0] if for_it else None


def _coin_code(instrument_id: str) -> str | None:
    """The code of a coin that the reviewed list has; the id of another coin says nothing of where it trades."""
    kind, _, code = instrument_id.partition(":")
    return code if kind == "crypto" and currency_symbols().get(code) == instrument_id else None


def _on_chain(instrument_id: str, source: str) -> tuple[str, str] | None:
    """The source's name of the chain, and the address in lower case; native coins are priced as their economic coin."""
    match = _TOKEN.fullmatch(instrument_id)
    if match is None or match["address"] is None:
        return None
    chain = chains_by_id().get(int(match["chain"]))
    name = None if chain is None else _chain_names().get(chain.slug, {}).get(source)
    return None if not name else (name, match["address"].lower())


@cache
def _reviewed(source: str) -> dict[str, str]:
    """data/source_symbols.csv: instrument → symbol of one source."""
    return {row["instrument"]: row["symbol"] for row in _rows("source_symbols.csv") if row["source"] == source}


@cache
def _chain_names() -> dict[str, dict[str, str]]:
    """data/chain_names.csv: slug → name of the chain at each source."""
    return {
        row["chain"]: {"coingecko": row["coingecko"], "defillama": row["defillama"]} for row in _rows("chain_names.csv")
    }


def _rows(name: str) -> list[dict[str, str]]:
    text = files("assets.market.data").joinpath(name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
