"""The instrument id of an asset on a chain, and the asset behind an id.

Belongs here: CAIP-19 ids of every chain family that is read. Must not be here: what an instrument is worth or is linked
to (reviewed data files, dbt's int_instruments), the grammar of ids in inputs (assets/registry/identifiers.py).
"""

import re

from assets.registry.chains import chains, chains_by_id
from assets.registry.other_chains import other_chains
from assets.wallets.model import Asset, Kind

_EVM_SLIP44 = 60  # of every EVM chain here, see docs/contracts.md
_STANDARDS = {Kind.ERC20: "erc20", Kind.ERC721: "erc721", Kind.ERC1155: "erc1155"}
_KINDS = {standard: kind for kind, standard in _STANDARDS.items()} | {"token": Kind.ERC20}
_ID = re.compile(
    r"(?P<chain>[a-z0-9]+:[-A-Za-z0-9]+)/(?:slip44:(?P<coin>\d+)|(?P<standard>[a-z0-9]+):(?P<address>\w+))(?:/(?P<token>\d+))?"
)


def instrument_id(asset: Asset) -> str:
    """The CAIP-19 id of an asset.

    Raises:
        KeyError: there is no such chain.
    """
    other = other_chains().get(asset.chain)
    if other is not None:
        return other.native_instrument if asset.kind is Kind.NATIVE else other.token_instrument(str(asset.address))
    caip2 = chains()[asset.chain].caip2
    if asset.kind is Kind.NATIVE:
        return f"{caip2}/slip44:{_EVM_SLIP44}"
    token = "" if asset.token_id is None else f"/{asset.token_id}"
    return f"{caip2}/{_STANDARDS[asset.kind]}:{asset.address}{token}"


def asset_of(instrument: str) -> Asset | None:
    """The asset behind an id; None for an id that names nothing on a known chain."""
    match = _ID.fullmatch(instrument)
    slug = match and _slug(match["chain"])
    if not match or not slug:
        return None
    if match["coin"] is not None:
        return Asset(slug, Kind.NATIVE)
    kind = _KINDS.get(match["standard"])
    if kind is None or (kind is Kind.ERC1155) != (match["token"] is not None):
        return None  # also one ERC-721 of many: a wallet has a count of the collection, or a position of its own
    return Asset(slug, kind, match["address"], None if match["token"] is None else int(match["token"]))


def chain_of(instrument: str) -> str | None:
    """The slug of the chain that an id names; None for an id of no known chain."""
    caip2, slash, _ = instrument.partition("/")
    return _slug(caip2) if slash else None


def _slug(caip2: str) -> str | None:
    family, _, number = caip2.partition(":")
    if family == "eip155":
        chain = chains_by_id().get(int(number)) if number.isdecimal() else None
        return chain.slug if chain else None
    return next((slug for slug, other in other_chains().items() if other.caip2 == caip2), None)
