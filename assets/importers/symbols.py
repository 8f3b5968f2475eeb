"""Symbols of other products as instrument ids.

Belongs here: the person's own mapping, the reviewed list of money and coins, the rule for listed things.
Must not be here: prices, whether an instrument is declared (the inputs folder's own rules).

A symbol alone names nothing: BTC is a coin and a fund, and one share trades in ten places under as many tickers. So
money and coins come from a reviewed file (data/currency_symbols.csv), listed things by ISIN unless their ticker is a US
one, and everything else is asked of the person.
"""

import csv
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from assets.importers.model import UnknownSymbolError
from assets.importers.values import MINOR_UNITS
from assets.registry.identifiers import Refusal, instrument_id

_ISIN = re.compile(r"[A-Z]{2}[A-Z0-9]{9}[0-9]")
# One letter after a dot is mostly an exchange (.L London, .F Frankfurt); A, B and C are classes of US shares (BRK.B).
_US_TICKER = re.compile(r"([A-Z]{1,5})(?:[.\-/ ]([ABC]))?")


class MappingError(ValueError):
    """A `--map` that cannot be read; the message says how to write it."""


class ReviewedSymbols:
    """The person's own mapping first, then the reviewed file."""

    def __init__(self, mapping: Mapping[str, str] | None = None) -> None:
        self._mapping = dict(mapping or {})

    def mapped(self, symbol: str) -> str | None:
        """What the person's own `--map` says of a symbol."""
        return self._mapping.get(symbol)

    def currency(self, symbol: str) -> str:
        """Money or coin by its code: fiat:USD, crypto:BTC.

        Raises:
            UnknownSymbolError: neither the person nor the reviewed file knows it.
        """
        own = self.mapped(symbol)
        if own is not None:
            return own
        reviewed = currency_symbols()
        if symbol in MINOR_UNITS:
            raise UnknownSymbolError(f"{symbol} is a hundredth of {MINOR_UNITS[symbol]}, no currency of its own")
        # lower case only as a whole: GBp is not GBP
        known = reviewed.get(symbol) or (reviewed.get(symbol.upper()) if symbol.islower() else None)
        if known is None:
            raise UnknownSymbolError(
                f"{symbol or 'an empty symbol'} is no code of a currency or coin in the reviewed list"
            )
        return known

    def security(self, ticker: str, *, isin: str = "", asset_class: str = "equity") -> str:
        """A listed thing: its ticker where it trades in the US, else its ISIN, so that two listings never merge.

        A ticker without an ISIN is taken as it is, suffix and all.

        Raises:
            UnknownSymbolError: it has neither, or what it has is no ISIN.
        """
        own = self.mapped(isin) or self.mapped(ticker)
        if own is not None:
            return own
        if isin and not _ISIN.fullmatch(isin):
            raise UnknownSymbolError(f"{isin} is no ISIN (two letters, nine letters or digits, a digit)")
        match = _US_TICKER.fullmatch(ticker)
        if isin.startswith("US") and match:
            return f"{asset_class}:{match[1]}" + (f"-{match[2]}" if match[2] else "")
        if isin or ticker:
            return f"{asset_class}:{isin or ticker}"
        raise UnknownSymbolError("it has neither a ticker nor an ISIN")


def remedy(symbol: str, example: str = "crypto:BTC") -> str:
    """What to do about an unknown symbol."""
    return f"say what it is: --map '{symbol}=INSTRUMENT' with an instrument id such as {example}"


def read_mapping(options: list[str]) -> dict[str, str]:
    """Read `SYMBOL=INSTRUMENT` options.

    Raises:
        MappingError: one has no `=`, or names no instrument id.
    """
    mapping: dict[str, str] = {}
    for option in options:
        symbol, equals, instrument = option.rpartition("=")
        if not equals or not symbol.strip():
            raise MappingError(f"--map {option!r}: expected SYMBOL=INSTRUMENT, as in --map XBT=crypto:BTC")
        try:
            mapping[symbol.strip()] = instrument_id(instrument.strip())
        except Refusal as refusal:
            raise MappingError(f"--map {option!r}: {refusal}") from None
    return mapping


@cache
def currency_symbols() -> dict[str, str]:
    """The reviewed file: code → instrument id."""
    return _read("currency_symbols.csv", "code", "instrument")


@cache
def coingecko_coins() -> dict[str, str]:
    """The reviewed file of CoinGecko's ids: id → code of the coin."""
    return _read("coingecko_ids.csv", "coingecko_id", "code")


def _read(name: str, key: str, value: str) -> dict[str, str]:
    text = files("assets.importers.data").joinpath(name).read_text(encoding="utf-8")
    return {row[key]: row[value] for row in csv.DictReader(text.splitlines())}
