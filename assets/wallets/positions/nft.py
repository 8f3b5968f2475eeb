"""NFTs that the owner declares: how many of an ERC-721 collection, of one token of it, or of an ERC-1155 token.

Belongs here: counts. Must not be here: NFTs that are positions of a protocol (uniswap_v3), what an NFT is worth: it has
a value only with a price of its own, so components are never known.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from assets.wallets import codec
from assets.wallets.codec import Call, Outcome, encode_address, encode_uint256
from assets.wallets.model import PinnedChain, Position
from assets.wallets.positions.answers import UnreadError, address
from assets.wallets.positions.reading import Receipt

NO_COMPONENTS = "an NFT is valued only with a price of its own"

_OWNER_OF = bytes.fromhex("6352211e")  # ERC-721: ownerOf(uint256)
_BALANCE_OF_TOKEN = bytes.fromhex("00fdd58e")  # ERC-1155: balanceOf(address,uint256)


@dataclass(frozen=True, slots=True)
class Nft:
    """A collection or one token.

    Attributes:
        token_id: of ERC-1155 always; of ERC-721 None for the whole collection.
    """

    instrument_id: str
    address: str
    is_erc1155: bool
    token_id: int | None
    protocol: str
    category: str


@dataclass(frozen=True, slots=True)
class NftReader:
    """Counts, in one round."""

    nfts: tuple[Nft, ...]

    @property
    def name(self) -> str:
        """What is read."""
        return "nft"

    async def read(self, chain: PinnedChain, wallets: Sequence[str]) -> list[Position]:
        """All declared NFTs that the wallets have."""
        asked = [(wallet, one) for one in self.nfts for wallet in wallets]
        outcomes = await chain.call([_call(one, wallet) for wallet, one in asked])
        found = []
        for (wallet, one), outcome in zip(asked, outcomes, strict=True):
            receipt = Receipt(one.instrument_id, "nft", one.protocol, one.category, 0, True)
            if one.token_id is not None and not one.is_erc1155:
                units = _owned(receipt, wallet, outcome)
            else:
                units = receipt.balance(wallet, outcome)
            if isinstance(units, Position):
                found.append(units)
            elif units:
                found.append(receipt.opaque(wallet, units, NO_COMPONENTS))
        return found


def _call(one: Nft, wallet: str) -> Call:
    if one.token_id is None:
        return Call(one.address, codec.balance_of(wallet))
    if one.is_erc1155:
        return Call(one.address, _BALANCE_OF_TOKEN + encode_address(wallet) + encode_uint256(one.token_id))
    return Call(one.address, _OWNER_OF + encode_uint256(one.token_id))


def _owned(receipt: Receipt, wallet: str, outcome: Outcome | None) -> int | Position | None:
    """One where the wallet owns the token."""
    try:
        return 1 if address(outcome).lower() == wallet.lower() else None
    except UnreadError as error:
        return receipt.unread(wallet, str(error))
