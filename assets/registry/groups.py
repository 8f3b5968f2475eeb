"""The groups that an instrument can belong to: chains, protocols, categories.

Belongs here: their names, the product's own and those of instruments.csv, and how a file names one. Must not be here:
which instrument is in which group (int_instruments), the files that name a group.
"""

from collections.abc import Mapping

import polars as pl

from assets.registry.identifiers import suggestion
from assets.registry.other_chains import known_slugs
from assets.registry.yaml_reader import Node, YamlReader

Groups = Mapping[str, tuple[str, ...]]

#: What the readers of wallets' positions write (assets/wallets/positions and its reviewed contracts).
PROTOCOLS = (
    "aave-v3", "coinbase", "compound-v3", "erc1155", "erc4626", "erc721", "frax-ether", "lido", "rocket-pool", "sky",
    "sushiswap-v2", "uniswap-v2", "uniswap-v3", "vesting-wallet",
)  # fmt: skip
CATEGORIES = ("lending", "liquidity", "nft", "staking", "vesting")
# Of what is in no other group, as in marts.portfolio_allocation.
_REST = {"chain": "off_chain", "protocol": "none", "category": "uncategorised"}


def own_groups() -> dict[str, tuple[str, ...]]:
    """Groups by dimension that the product knows by itself, sorted."""
    names = {"chain": known_slugs(), "protocol": PROTOCOLS, "category": CATEGORIES}
    return {by: tuple(sorted({*names[by], rest})) for by, rest in _REST.items()}


def known_groups(instruments: pl.DataFrame | None) -> Groups:
    """Groups by dimension, sorted.

    Args:
        instruments: rows of instruments.csv, whose `protocol` and `category` are free words; None: not readable, and
            these two dimensions are left out.
    """
    own = own_groups()
    if instruments is None:
        return {"chain": own["chain"]}
    return own | {by: tuple(sorted({*own[by], *instruments[by].drop_nulls()})) for by in ("protocol", "category")}


def read_group(reader: YamlReader, node: Node, by: str, groups: Groups) -> str | None:
    """Read the name of a group; one that no instrument can have would stand for nothing, unsaid.

    Args:
        reader: takes the problem.
        node: the name.
        by: dimension.
        groups: those that an instrument can belong to; a dimension that is missing is not checked.
    """
    value = reader.text(node, "group")
    if value is None or by not in groups or value in groups[by]:
        return value
    near = suggestion(value, groups[by])
    if by == "chain":
        reader.problem(
            node, "group: the slug of a known chain, or off_chain", near or "`holdfast chains` lists the slugs"
        )
    else:
        known = f"group: a {by} that an instrument can have, one of {', '.join(groups[by])}"
        reader.problem(node, known, near or f"choose one of them, or give an instrument this {by} in instruments.csv")
    return None
