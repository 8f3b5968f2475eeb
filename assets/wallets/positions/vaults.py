"""Vaults by ERC-4626: shares, and the assets that they convert to at the block.

Belongs here: the standard's functions. Must not be here: which vaults there are (reviewed data, or declared).

`convertToAssets` is what the standard gives for showing a balance: without fees of a withdrawal, rounded down
(https://eips.ethereum.org/EIPS/eip-4626).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from assets.wallets import codec
from assets.wallets.codec import Call, encode_uint256
from assets.wallets.model import Component, PinnedChain, Position
from assets.wallets.positions.answers import UnreadError, address, decimals, decimals_or_none, uint
from assets.wallets.positions.reading import Receipt, instrument, token

CATEGORY = "staking"

_ASSET = bytes.fromhex("38d52e0f")  # asset()
_CONVERT_TO_ASSETS = bytes.fromhex("07a2d13a")  # convertToAssets(uint256)


@dataclass(frozen=True, slots=True)
class Vault:
    """One vault whose token is its share."""

    address: str
    protocol: str
    category: str = CATEGORY
    is_declared: bool = False


@dataclass(frozen=True, slots=True)
class VaultReader:
    """Shares in vaults; a second round where a wallet has any."""

    slug: str
    vaults: tuple[Vault, ...]

    @property
    def name(self) -> str:
        """The standard."""
        return "erc4626"

    async def read(self, chain: PinnedChain, wallets: Sequence[str]) -> list[Position]:
        """All shares of the wallets."""
        calls = [
            *(Call(one.address, data) for one in self.vaults for data in (codec.DECIMALS, _ASSET)),
            *(Call(one.address, codec.balance_of(wallet)) for one in self.vaults for wallet in wallets),
        ]
        first = dict(zip(calls, await chain.call(calls), strict=True))
        found: list[Position] = []
        held: list[tuple[str, Vault, Receipt, str, int]] = []
        for one in self.vaults:
            places, underlying, reason = 0, "", ""
            try:
                places = decimals(first[Call(one.address, codec.DECIMALS)])
                underlying = address(first[Call(one.address, _ASSET)])
            except UnreadError as error:
                reason = str(error)
            receipt = Receipt(
                instrument(self.slug, "erc20", one.address), "staked", one.protocol, one.category, places,
                one.is_declared,
            )  # fmt: skip
            for wallet in wallets:
                units = receipt.balance(wallet, first[Call(one.address, codec.balance_of(wallet))])
                if isinstance(units, Position):
                    found.append(units)
                elif units and reason:
                    found.append(receipt.unread(wallet, reason))
                elif units:
                    held.append((wallet, one, receipt, underlying, units))
        return found + await self._converted(chain, held) if held else found

    async def _converted(self, chain: PinnedChain, held: list[tuple[str, Vault, Receipt, str, int]]) -> list[Position]:
        """What the shares convert to."""
        calls = dict.fromkeys(
            call
            for _, one, _, underlying, units in held
            for call in (_converts(one, units), Call(underlying, codec.DECIMALS))
        )
        outcomes = dict(zip(calls, await chain.call(list(calls)), strict=True))
        found = []
        for wallet, one, receipt, underlying, units in held:
            try:
                amount = uint(outcomes[_converts(one, units)])
            except UnreadError as error:
                found.append(receipt.opaque(wallet, units, f"convertToAssets: {error}"))
                continue
            places = decimals_or_none(outcomes[Call(underlying, codec.DECIMALS)])
            found.append(receipt.held(wallet, units, [Component(token(self.slug, underlying), amount, places)]))
        return found


def _converts(one: Vault, units: int) -> Call:
    return Call(one.address, _CONVERT_TO_ASSETS + encode_uint256(units))
