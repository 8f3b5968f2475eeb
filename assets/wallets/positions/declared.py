"""What the owner declares in instruments.csv and readers of positions then read.

Belongs here: from a declared instrument to the contract that is read. Must not be here: files, SQL.

| asset_type | read as |
| --- | --- |
| `nft` | an ERC-721 collection (`…/erc721:0x…`), one of its tokens (`…/erc721:0x…/7`), an ERC-1155 token |
| `lp_token` | a pair with the ABI of Uniswap v2 |
| `staked` | a vault by ERC-4626 |
| `vested` | a VestingWallet; `underlying` is what it vests, the native coin where there is none |

Other types are not read here: supplied and borrowed come from the markets that are shipped.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from assets.wallets.positions import uniswap_v2, vaults, vesting
from assets.wallets.positions.nft import Nft
from assets.wallets.positions.uniswap_v2 import Pair
from assets.wallets.positions.vaults import Vault
from assets.wallets.positions.vesting import Vesting

READ_TYPES = frozenset({"nft", "lp_token", "staked", "vested"})


@dataclass(frozen=True, slots=True)
class Declared:
    """An on-chain instrument that the owner declared.

    Attributes:
        instrument_id: CAIP-19 in its normal form.
        underlying: of `vested`, the token in EIP-55; None for the native coin.
    """

    instrument_id: str
    asset_type: str
    protocol: str | None = None
    category: str | None = None
    underlying: str | None = None

    @property
    def standard(self) -> str:
        """erc20, erc721 or erc1155."""
        return self.instrument_id.partition("/")[2].partition(":")[0]

    @property
    def address(self) -> str:
        """The contract, in EIP-55."""
        return self.instrument_id.partition("/")[2].partition(":")[2].partition("/")[0]

    @property
    def token_id(self) -> int | None:
        """The number of one NFT."""
        number = self.instrument_id.partition("/")[2].partition(":")[2].partition("/")[2]
        return int(number) if number else None


def nfts(declared: Sequence[Declared]) -> tuple[Nft, ...]:
    """Declared NFTs; an ERC-1155 contract without a token number has no balance and is left out."""
    return tuple(
        Nft(
            one.instrument_id, one.address, one.standard == "erc1155", one.token_id,
            one.protocol or one.standard, one.category or "nft",
        )
        for one in declared
        if one.asset_type == "nft" and (one.standard == "erc721" or one.token_id is not None)
    )  # fmt: skip


def pairs(declared: Sequence[Declared]) -> tuple[Pair, ...]:
    """Declared pairs."""
    return tuple(
        Pair(one.address, one.protocol or "uniswap-v2", one.category or uniswap_v2.CATEGORY, True)
        for one in declared
        if (one.asset_type, one.standard) == ("lp_token", "erc20")
    )


def shares(declared: Sequence[Declared]) -> tuple[Vault, ...]:
    """Declared vaults."""
    return tuple(
        Vault(one.address, one.protocol or "erc4626", one.category or vaults.CATEGORY, True)
        for one in declared
        if (one.asset_type, one.standard) == ("staked", "erc20")
    )


def vested(declared: Sequence[Declared]) -> tuple[Vesting, ...]:
    """Declared vesting contracts."""
    return tuple(
        Vesting(
            one.instrument_id, one.address, one.underlying,
            one.protocol or vesting.PROTOCOL, one.category or vesting.CATEGORY,
        )
        for one in declared
        if one.asset_type == "vested"
    )  # fmt: skip
