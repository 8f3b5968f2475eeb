"""Codes of exchanges and brokers as instrument ids.

Belongs here: the order of who says what a code means. Must not be here: the reviewed list itself (importers/data).

Instruments are never merged by a bare symbol: a code is what instruments.csv says, else what the reviewed list of money
and coins says, else nothing, and the record that names it waits until somebody says what it is.
"""

import re
from collections.abc import Mapping

from assets.accounts.model import RefusedRecord
from assets.importers.model import UnknownSymbolError
from assets.importers.symbols import ReviewedSymbols
from assets.registry.identifiers import Refusal, held_instrument_id

# a class of shares: BRK.B; the ids of such shares are written with a hyphen
_SHARE_CLASS = re.compile(r"([A-Z]{1,5})[./]([A-Z])")
_OPTION = re.compile(r"[A-Z.]{1,6}[0-9]{6}[CP][0-9]{8}")


class Codes(ReviewedSymbols):
    """Codes of one source; also what the importers ask for symbols.

    Args:
        own: code → instrument id, from instruments.csv.
    """

    def __init__(self, own: Mapping[str, str]) -> None:
        super().__init__(own)

    def asset(self, code: str) -> str:
        """The instrument of money or of a coin.

        Raises:
            RefusedRecord: nothing reviewed says what the code is.
        """
        try:
            return held_instrument_id(self.currency(code))
        except (UnknownSymbolError, Refusal):
            raise RefusedRecord(
                code,
                "a code that neither instruments.csv nor the reviewed list of money and coins knows",
                f"add its instrument to instruments.csv with {code}/USD as ccxt_symbol",
            ) from None

    def us_share(self, ticker: str) -> str:
        """The instrument of a ticker at a US broker; `BRK.B` is `equity:BRK-B`.

        A broker does not say which tickers are funds: name those in instruments.csv with the ticker as yfinance_symbol.

        Raises:
            RefusedRecord: an option, or no ticker.
        """
        own = self.mapped(ticker)
        if own is not None:
            return own
        try:
            if _OPTION.fullmatch(ticker):
                raise Refusal("a share", "an option")
            return held_instrument_id("equity:" + _SHARE_CLASS.sub(r"\1-\2", ticker))
        except Refusal:
            raise RefusedRecord(
                ticker, "no ticker of a share or fund", "enter what it was in transactions/*.csv by hand"
            ) from None

    def symbol_of(self, instrument_id: str) -> str | None:
        """The code that instruments.csv declares for an instrument; the first by name where there are several."""
        return min((code for code, own in self._mapping.items() if own == instrument_id), default=None)
