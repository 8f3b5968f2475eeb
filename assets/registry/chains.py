"""Chains by slug: the list of EVM chains that an inputs file may name, and what is published about each.

Belongs here: slugs, mainnets, native coin, public endpoints, Multicall3 as listed. Must not be here: the owner's
endpoints (they may hold keys: assets/wallets/endpoints.py), calls, anything with a network.
"""

import csv
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

#: Chains on which somebody else's contract stands at Multicall3's address (README of mds1/multicall3): never called.
MULTICALL3_IMPOSTORS = frozenset({888888888})


@dataclass(frozen=True, slots=True)
class Chain:
    """One EVM chain; `slug` is its name in inputs and in `chain_id` columns.

    Attributes:
        native_symbol: as published, for people; its economic coin: assets/wallets/known_instruments.py.
        native_decimals: not 18 everywhere (tron 6, nautilus 9).
        block_time_ms: None where it is not published, which is most of them.
        public_urls: in the list's order; a URL with a place for a key (`${...}`) is none and is left out.
        multicall3_address: EIP-55, as listed: its code is still to be checked. None = none known, or an impostor.
        multicall3_created_block: the first block with it, None where unknown.
    """

    slug: str
    evm_id: int
    name: str
    is_mainnet: bool
    native_symbol: str
    native_decimals: int
    block_time_ms: int | None
    public_urls: tuple[str, ...]
    multicall3_address: str | None
    multicall3_created_block: int | None

    @property
    def caip2(self) -> str:
        """The CAIP-2 id."""
        return f"eip155:{self.evm_id}"

    @property
    def variable(self) -> str:
        """Its part of the names of environment variables: `POLYGON_ZK_EVM` in `HOLDFAST_RPC_POLYGON_ZK_EVM`."""
        return self.slug.upper().replace("-", "_")


def slug_of(key: str) -> str:
    """Make the slug of a chain list's key: `ethereum` for `mainnet`, else kebab-case."""
    if key == "mainnet":
        return "ethereum"
    parted = re.sub(r"([a-z0-9])([A-Z])", r"\1-\2", key)
    return re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1-\2", parted).lower()


@cache
def chains() -> dict[str, Chain]:
    """All known chains by slug, in the order of their ids."""
    text = files("assets.wallets.data").joinpath("chains.csv").read_text(encoding="utf-8")
    listed = map(_chain, csv.DictReader(text.splitlines()))
    return {chain.slug: chain for chain in listed}


@cache
def chains_by_id() -> dict[int, Chain]:
    """All known chains by their EVM chain id."""
    return {chain.evm_id: chain for chain in chains().values()}


@cache
def mainnets() -> tuple[str, ...]:
    """Slugs of all mainnets: what `chains: [all]` means."""
    return tuple(slug for slug, chain in chains().items() if chain.is_mainnet)


def _chain(row: dict[str, str]) -> Chain:
    evm_id, has_multicall = int(row["chain_id"]), int(row["chain_id"]) not in MULTICALL3_IMPOSTORS
    return Chain(
        slug=slug_of(row["key"]),
        evm_id=evm_id,
        name=row["name"],
        is_mainnet=row["is_testnet"] == row["is_local"] == "0",
        native_symbol=row["native_symbol"],
        native_decimals=int(row["native_decimals"]),
        block_time_ms=_number(row["block_time_ms"]),
        public_urls=tuple(url for url in row["rpc_urls"].split() if "{" not in url),
        multicall3_address=(has_multicall and row["multicall3_address"]) or None,
        multicall3_created_block=_number(row["multicall3_block_created"]) if has_multicall else None,
    )


def _number(text: str) -> int | None:
    return int(text) if text else None
