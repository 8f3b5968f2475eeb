"""The catalogue of instruments: what a text may mean, and under which symbol each source knows it.

Belongs here: search over the reviewed files, the chains' token lists, and what the database adds (followed instruments,
the owner's overrides), which is passed in. Must not be here: SQL (store.py), requests. An id that looks right is no
instrument: a hit says where it is known from.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from assets.importers.symbols import coingecko_coins, currency_symbols
from assets.market.model import Instrument
from assets.market.symbols import (
    ccxt_symbol,
    coingecko_symbol,
    defillama_symbol,
    ecb_symbol,
    feeds,
    reviewed_instruments,
    yahoo_symbol,
)
from assets.registry.chains import chains
from assets.wallets.reference import tokens

_EXCHANGES = ("binance", "kraken", "coinbase")


@dataclass(frozen=True, slots=True)
class Known:
    """An instrument as the database has it: followed, declared by the owner, or both.

    Attributes:
        state: `active` or `paused` where it is followed.
        error: why its last job failed; None: it did not.
    """

    instrument: Instrument
    name: str | None = None
    state: str | None = None
    error: str | None = None
    is_declared: bool = False


@dataclass(frozen=True, slots=True)
class Hit:
    """One instrument that was found.

    Attributes:
        known_from: where: `reviewed`, `token list`, `instruments.csv`, `followed`.
        symbols: source → its symbol; a source without one is not asked.
    """

    instrument: str
    symbol: str
    name: str
    known_from: tuple[str, ...]
    symbols: dict[str, str]
    state: str | None = None
    error: str | None = None


def find(text: str, known: Iterable[Known] = (), limit: int = 20) -> list[Hit]:
    """Instruments whose id, symbol, name or address has the text; the closest first.

    Args:
        text: in any case.
        known: from the database.
        limit: at most so many.
    """
    wanted = text.strip().casefold()
    if not wanted:
        return []
    found: dict[str, tuple[tuple[int, int, str], str, str, tuple[str, ...]]] = {}
    own = {one.instrument.id: one for one in known}
    everything = (*_of_database(own.values()), *_reviewed(), *_tokens())
    for instrument, symbol, name, origin in everything:
        rank = _rank(wanted, instrument, symbol, name)
        if rank is None:
            continue
        earlier = found.get(instrument)
        origins = (*(earlier[3] if earlier else ()), origin)
        # what is held or declared comes before what is only listed
        order = (rank, 0 if instrument in own else 1, instrument)
        best = earlier if earlier and earlier[0] <= order else (order, symbol, name, origins)
        found[instrument] = (best[0], best[1], best[2] or name, tuple(dict.fromkeys(origins)))
    hits = sorted((order, instrument) for instrument, (order, *_) in found.items())[:limit]
    return [_hit(instrument, *found[instrument][1:], own.get(instrument)) for _, instrument in hits]


def symbols_of(instrument: Instrument) -> dict[str, str]:
    """The instrument's symbol at each reviewed source that has one."""
    told = {name: ccxt_symbol(instrument, name) for name in _EXCHANGES}
    told |= {
        "yahoo": yahoo_symbol(instrument),
        "ecb": ecb_symbol(instrument),
        "coingecko": coingecko_symbol(instrument),
        "defillama": defillama_symbol(instrument),
    }
    symbols = {name: one.symbol for name, one in told.items() if one is not None}
    if (feed := feeds().get(instrument.id)) is not None:
        symbols["chainlink"] = f"{feed.description} on {feed.chain}"
    return symbols


def _hit(instrument: str, symbol: str, name: str, origins: tuple[str, ...], known: Known | None) -> Hit:
    symbols = symbols_of(known.instrument if known else Instrument(instrument))
    state, error = (known.state, known.error) if known else (None, None)
    return Hit(instrument, symbol, name, origins, symbols, state, error)


def _rank(wanted: str, instrument: str, symbol: str, name: str) -> int | None:
    """0 the very symbol or id, 1 it begins so, 2 the text is somewhere within; None: nowhere."""
    words = [instrument.casefold(), symbol.casefold(), name.casefold(), instrument.rpartition(":")[2].casefold()]
    if wanted in words:
        return 0
    if any(word.startswith(wanted) for word in words):
        return 1
    return 2 if any(wanted in word for word in words) else None


def _of_database(known: Iterable[Known]) -> Iterator[tuple[str, str, str, str]]:
    for one in known:
        symbol = one.instrument.id.partition(":")[2]
        # the owner's own symbols are found too
        name = " ".join(text for text in (one.name, one.instrument.ccxt_symbol, one.instrument.yfinance_symbol) if text)
        if one.is_declared:
            yield one.instrument.id, symbol, name, "instruments.csv"
        if one.state:
            yield one.instrument.id, symbol, name, "followed"


def _reviewed() -> Iterator[tuple[str, str, str, str]]:
    names = {code: coin.replace("-", " ") for coin, code in coingecko_coins().items()}
    for code, instrument in currency_symbols().items():
        yield instrument, code, names.get(code, "") if instrument.startswith("crypto:") else "", "reviewed"
    for instrument, name in reviewed_instruments():
        yield instrument, instrument.partition(":")[2], name, "reviewed"


def _tokens() -> Iterator[tuple[str, str, str, str]]:
    for slug in chains():
        for token in tokens(slug):
            yield token.instrument_id, token.symbol, f"{token.name} on {slug}", "token list"
