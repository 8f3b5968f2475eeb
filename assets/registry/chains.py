"""Chains by slug: the list of EVM chains that an inputs file may name.

Belongs here: slugs, mainnets, look-up by slug or id. Must not be here: endpoints, calls, anything with a network.
"""

import csv
import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Chain:
    """One EVM chain; `slug` is its name in inputs and in `chain_id` columns."""

    slug: str
    evm_id: int
    name: str
    is_mainnet: bool

    @property
    def caip2(self) -> str:
        """The CAIP-2 id."""
        return f"eip155:{self.evm_id}"


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
    rows = csv.DictReader(text.splitlines())
    listed = (
        Chain(slug_of(row["key"]), int(row["chain_id"]), row["name"], row["is_testnet"] == row["is_local"] == "0")
        for row in rows
    )
    return {chain.slug: chain for chain in listed}


@cache
def mainnets() -> tuple[str, ...]:
    """Slugs of all mainnets: what `chains: [all]` means."""
    return tuple(slug for slug, chain in chains().items() if chain.is_mainnet)
