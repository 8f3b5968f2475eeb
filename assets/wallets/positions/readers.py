"""Which positions are read on a chain, and which tokens are receipts of one.

Belongs here: readers from reviewed data and from what the owner declared. Must not be here: how a protocol is read.
"""

from collections.abc import Sequence

from assets.wallets import reference
from assets.wallets.positions import declared as owned
from assets.wallets.positions.aave_v3 import AaveV3Reader
from assets.wallets.positions.compound_v3 import CompoundV3Reader
from assets.wallets.positions.declared import Declared
from assets.wallets.positions.nft import NftReader
from assets.wallets.positions.reading import PositionReader
from assets.wallets.positions.staked import RATES, StakedReader
from assets.wallets.positions.uniswap_v2 import Pair, UniswapV2Reader
from assets.wallets.positions.uniswap_v3 import UniswapV3Reader
from assets.wallets.positions.vaults import Vault, VaultReader
from assets.wallets.positions.vesting import VestingReader


def position_readers(slug: str, declared: Sequence[Declared] = ()) -> tuple[PositionReader, ...]:
    """The readers that have something to ask on a chain.

    Args:
        slug: the chain.
        declared: what owners declared on this chain; the same once, and what is shipped already not again.

    Raises:
        KeyError: there is no such chain.
    """
    shipped = receipts(slug)
    fresh = list({one.instrument_id: one for one in declared if one.address not in shipped}.values())
    contracts = reference.position_contracts(slug)
    found: list[PositionReader] = []
    if reserves := tuple(reserve for market in reference.aave_markets(slug) for reserve in market.reserves):
        found.append(AaveV3Reader(slug, reserves))
    if comets := tuple(one.address for one in contracts if one.role == "comet"):
        found.append(CompoundV3Reader(slug, comets))
    if staked := tuple(one for one in contracts if one.role in RATES):
        found.append(StakedReader(slug, staked))
    shipped_vaults = tuple(Vault(one.address, one.protocol) for one in contracts if one.role == "erc4626")
    if vaults := shipped_vaults + owned.shares(fresh):
        found.append(VaultReader(slug, vaults))
    shipped_pairs = tuple(Pair(one.pair, one.protocol) for one in reference.uniswap_v2_pairs(slug))
    if pairs := shipped_pairs + owned.pairs(fresh):
        found.append(UniswapV2Reader(slug, pairs))
    factories = {one.protocol: one.address for one in contracts if one.role == "factory"}
    found += [
        UniswapV3Reader(slug, one.address, factories[one.protocol])
        for one in contracts
        if one.role == "position_manager"
    ]
    if nfts := owned.nfts(fresh):
        found.append(NftReader(nfts))
    if vested := owned.vested(fresh):
        found.append(VestingReader(slug, vested))
    return tuple(found)


def receipts(slug: str, declared: Sequence[Declared] = ()) -> frozenset[str]:
    """Addresses (EIP-55) that readers of positions read on a chain: token reading leaves them out.

    Raises:
        KeyError: there is no such chain.
    """
    reserves = [reserve for market in reference.aave_markets(slug) for reserve in market.reserves]
    return frozenset(
        [
            *(reserve.a_token for reserve in reserves),
            *(reserve.variable_debt_token for reserve in reserves),
            *(one.address for one in reference.position_contracts(slug) if one.role != "factory"),
            *(one.pair for one in reference.uniswap_v2_pairs(slug)),
            *(one.address for one in declared if one.asset_type in owned.READ_TYPES),
        ]
    )
