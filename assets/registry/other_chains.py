"""Chains that are not EVM, by slug: what an inputs file may name beside the chains of chains.py.

Belongs here: the reviewed file's rows, and what holds for the chains of all families together. Must not be here:
addresses (addresses.py), the owner's endpoints, calls.
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from assets.registry.addresses import Family
from assets.registry.chains import Chain, chains, mainnets


@dataclass(frozen=True, slots=True)
class OtherChain:
    """One chain; `slug` is its name in inputs and in `chain_id` columns.

    Attributes:
        caip2: its CAIP-2 id, made of the first 32 characters of the genesis block's hash.
        genesis_hash: by which an endpoint proves to be of this chain.
        slip44: the number of its coin (SLIP-44).
        block_time_ms: as designed; says how old a head may be.
        endpoint_source: its name in HOLDFAST_ENDPOINT_<SOURCE>, lower case.
        public_urls: in the order in which they are asked.
    """

    slug: str
    caip2: str
    genesis_hash: str
    name: str
    native_symbol: str
    native_decimals: int
    slip44: int
    block_time_ms: int
    endpoint_source: str
    public_urls: tuple[str, ...]

    @property
    def variable(self) -> str:
        """Its part of the names of environment variables: `BITCOIN` in `HOLDFAST_RPC_BITCOIN`."""
        return self.slug.upper().replace("-", "_")

    @property
    def family(self) -> Family:
        """Whose addresses it has."""
        return Family(self.name)

    @property
    def native_instrument(self) -> str:
        """CAIP-19 of its coin."""
        return f"{self.caip2}/slip44:{self.slip44}"

    def token_instrument(self, address: str) -> str:
        """CAIP-19 of a token (Solana: of a mint)."""
        return f"{self.caip2}/token:{address}"


@cache
def other_chains() -> dict[str, OtherChain]:
    """All of them by slug."""
    text = files("assets.wallets.data").joinpath("other_chains.csv").read_text(encoding="utf-8")
    return {row["slug"]: _chain(row) for row in csv.DictReader(text.splitlines())}


@cache
def known_slugs() -> tuple[str, ...]:
    """Slugs of the chains of all families."""
    return (*chains(), *other_chains())


def known_chain(slug: str) -> Chain | OtherChain:
    """A chain of any family.

    Raises:
        KeyError: there is no such chain.
    """
    return other_chains()[slug] if slug in other_chains() else chains()[slug]


def family_of_chain(slug: str) -> Family:
    """The family of a known chain."""
    return other_chains()[slug].family if slug in other_chains() else Family.EVM


def chains_of(family: Family) -> tuple[str, ...]:
    """What `chains: [all]` means for an address of this family: mainnets."""
    others = tuple(slug for slug, chain in other_chains().items() if chain.family is family)
    return mainnets() if family is Family.EVM else others


def _chain(row: dict[str, str]) -> OtherChain:
    return OtherChain(
        slug=row["slug"],
        caip2=row["caip2"],
        genesis_hash=row["genesis_hash"],
        name=row["name"],
        native_symbol=row["native_symbol"],
        native_decimals=int(row["native_decimals"]),
        slip44=int(row["slip44"]),
        block_time_ms=int(row["block_time_ms"]),
        endpoint_source=row["endpoint_source"],
        public_urls=tuple(row["public_urls"].split()),
    )
