"""Instruments whose identity was reviewed: native coins of all chains, and tokens with the economic asset behind them.

Belongs here: rows for ops.known_instruments, made of the reviewed files in `data`. Must not be here: what a chain
answers (raw.token_facts), what the owner declares (registry.instruments).
"""

from collections.abc import Iterator
from typing import NamedTuple

from assets.registry.chains import chains
from assets.registry.other_chains import other_chains
from assets.wallets.identity import instrument_id
from assets.wallets.model import Asset, Kind
from assets.wallets.reference import canonical_instruments, native_coins


class KnownInstrument(NamedTuple):
    """One row of ops.known_instruments; None where nothing was reviewed."""

    instrument_id: str
    chain: str | None = None
    address: str | None = None
    symbol: str | None = None
    decimals: int | None = None
    asset_type: str | None = None
    protocol: str | None = None
    category: str | None = None
    canonical_instrument: str | None = None


def known_instruments() -> Iterator[KnownInstrument]:
    """All of them, each id once."""
    coins = native_coins()
    for slug, chain in chains().items():
        yield KnownInstrument(
            instrument_id(Asset(slug, Kind.NATIVE)),
            chain=slug,
            symbol=chain.native_symbol,
            decimals=chain.native_decimals,
            canonical_instrument=coins.get(slug),
        )
    for token in canonical_instruments():
        yield KnownInstrument(
            token.instrument_id, token.chain, token.address, canonical_instrument=token.canonical_instrument
        )
    for slug, other in other_chains().items():
        yield KnownInstrument(
            other.native_instrument,
            chain=slug,
            symbol=other.native_symbol,
            decimals=other.native_decimals,
            canonical_instrument=f"crypto:{other.native_symbol}",
        )
