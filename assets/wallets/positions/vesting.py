"""Vesting contracts that the owner declares: what is vested by the block and not released yet.

Belongs here: OpenZeppelin's VestingWallet and what has its ABI. Must not be here: streams of other protocols.

What is not vested yet is not the wallet's and is not counted. `vestedAmount` is asked for the block's own time, and
`released` is taken from it: `releasable` says the same, but older versions do not have it. The wallet is the `owner`
(version 5) or the `beneficiary` (version 4). Source: OpenZeppelin Contracts, finance/VestingWallet.sol.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from assets.wallets import codec
from assets.wallets.codec import Call, Outcome, encode_address, encode_uint256
from assets.wallets.model import Component, PinnedChain, Position
from assets.wallets.positions.answers import UnreadError, address, decimals, uint
from assets.wallets.positions.reading import Receipt, native, token

PROTOCOL, CATEGORY = "vesting-wallet", "vesting"

_OWNER = bytes.fromhex("8da5cb5b")  # owner()
_BENEFICIARY = bytes.fromhex("38af3eed")  # beneficiary()
_RELEASED = bytes.fromhex("96132521")  # released()
_RELEASED_OF = bytes.fromhex("9852595c")  # released(address)
_VESTED_AMOUNT = bytes.fromhex("0a17b06b")  # vestedAmount(uint64)
_VESTED_AMOUNT_OF = bytes.fromhex("810ec23b")  # vestedAmount(address,uint64)
_CALLS = 5


@dataclass(frozen=True, slots=True)
class Vesting:
    """One contract and one thing that it vests.

    Attributes:
        underlying: the token; None for the native coin.
    """

    instrument_id: str
    address: str
    underlying: str | None
    protocol: str = PROTOCOL
    category: str = CATEGORY


@dataclass(frozen=True, slots=True)
class VestingReader:
    """What is vested, in one round."""

    slug: str
    contracts: tuple[Vesting, ...]

    @property
    def name(self) -> str:
        """What is read."""
        return "vesting"

    async def read(self, chain: PinnedChain, wallets: Sequence[str]) -> list[Position]:
        """Vested and not released; a contract of which nobody is known to be the owner says so for each wallet."""
        seconds = encode_uint256(int(chain.block.timestamp.timestamp()))
        outcomes = await chain.call([call for one in self.contracts for call in _calls(one, seconds)])
        found = []
        for place, one in enumerate(self.contracts):
            owner, beneficiary, released, vested, places = outcomes[place * _CALLS : (place + 1) * _CALLS]
            try:
                whose = _whose(owner, beneficiary)
            except UnreadError as error:
                unknown = Receipt(one.instrument_id, "vested", one.protocol, one.category, 0, True)
                found += [unknown.unread(wallet, str(error)) for wallet in wallets]
                continue
            for wallet in wallets:
                if wallet.lower() == whose.lower():
                    found += self._position(one, wallet, released, vested, places)
        return found

    def _position(
        self, one: Vesting, wallet: str, released: Outcome | None, vested: Outcome | None, places: Outcome | None
    ) -> list[Position]:
        receipt = Receipt(one.instrument_id, "vested", one.protocol, one.category, 0, True)
        try:
            units = uint(vested) - uint(released)
            if units < 0:
                raise UnreadError(f"{-units} more released than vested")
            component = self._component(one.underlying, units, places)
        except UnreadError as error:
            return [receipt.unread(wallet, str(error))]
        receipt = replace(receipt, decimals=component.decimals or 0)
        return [receipt.held(wallet, units, [component])] if units else []

    def _component(self, underlying: str | None, units: int, places: Outcome | None) -> Component:
        if underlying is None:
            return native(self.slug, units)
        return Component(token(self.slug, underlying), units, decimals(places))


def _calls(one: Vesting, seconds: bytes) -> tuple[Call, ...]:
    if one.underlying is None:
        released, vested = _RELEASED, _VESTED_AMOUNT + seconds
    else:
        asset = encode_address(one.underlying)
        released, vested = _RELEASED_OF + asset, _VESTED_AMOUNT_OF + asset + seconds
    return (
        Call(one.address, _OWNER),
        Call(one.address, _BENEFICIARY),
        Call(one.address, released),
        Call(one.address, vested),
        Call(one.underlying or one.address, codec.DECIMALS),
    )


def _whose(owner: Outcome | None, beneficiary: Outcome | None) -> str:
    """Version 4 has a beneficiary, and its owner, where there is one, is somebody else."""
    try:
        return address(beneficiary)
    except UnreadError:
        if beneficiary is None:
            raise
    return address(owner)
