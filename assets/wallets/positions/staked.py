"""Staked ether: stETH, wstETH, rETH and cbETH, with the ether that each is a claim on at the block.

Belongs here: the rate function of each token. Must not be here: vaults by ERC-4626 (vaults), the same tokens bridged to
other chains (they have no rate there and are read as plain tokens), market prices.

A claim is no price: what the market pays for stETH may differ from the ether behind it. Sources of the functions:
https://docs.lido.fi/contracts/lido and /wsteth (stETH rebases 1:1; `stEthPerToken` is what 10**18 wstETH are worth),
https://docs.rocketpool.net (RocketTokenRETH.getExchangeRate, ether for 10**18 rETH), coinbase/wrapped-tokens-os
(StakedTokenV1.exchangeRate, scaled by 10**18).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from assets.wallets import codec
from assets.wallets.codec import Call
from assets.wallets.model import PinnedChain, Position
from assets.wallets.positions.answers import UnreadError, decimals, uint
from assets.wallets.positions.reading import Receipt, instrument, native
from assets.wallets.reference import PositionContract

CATEGORY = "staking"
_SCALE = 10**18

#: What each role of the reviewed contracts answers: ether for 10**18 units; None = one for one.
RATES: dict[str, bytes | None] = {
    "steth": None,
    "wsteth": bytes.fromhex("035faf82"),  # stEthPerToken()
    "reth": bytes.fromhex("e6aa216c"),  # getExchangeRate()
    "cbeth": bytes.fromhex("3ba0b9a9"),  # exchangeRate()
}


@dataclass(frozen=True, slots=True)
class StakedReader:
    """Balances and rates in one round."""

    slug: str
    tokens: tuple[PositionContract, ...]

    @property
    def name(self) -> str:
        """What these protocols are."""
        return "staked ether"

    async def read(self, chain: PinnedChain, wallets: Sequence[str]) -> list[Position]:
        """All staked ether of the wallets."""
        calls: dict[Call, None] = {}
        for one in self.tokens:
            calls.update(dict.fromkeys(Call(one.address, codec.balance_of(wallet)) for wallet in wallets))
            calls[Call(one.address, codec.DECIMALS)] = None
            calls[Call(one.address, RATES[one.role] or codec.DECIMALS)] = None
        outcomes = dict(zip(calls, await chain.call(list(calls)), strict=True))
        found = []
        for one in self.tokens:
            places, reason = 0, ""
            try:
                places = decimals(outcomes[Call(one.address, codec.DECIMALS)])
            except UnreadError as error:
                reason = f"decimals: {error}"
            receipt = Receipt(
                instrument(self.slug, "erc20", one.address), "staked", one.protocol, CATEGORY, places, False
            )
            selector = RATES[one.role]
            for wallet in wallets:
                units = receipt.balance(wallet, outcomes[Call(one.address, codec.balance_of(wallet))])
                if isinstance(units, Position):
                    found.append(units)
                elif units and reason:
                    found.append(receipt.unread(wallet, reason))
                elif units:
                    try:
                        rate = _SCALE if selector is None else uint(outcomes[Call(one.address, selector)])
                    except UnreadError as error:
                        found.append(receipt.opaque(wallet, units, f"rate: {error}"))
                        continue
                    found.append(receipt.held(wallet, units, [native(self.slug, units * rate // _SCALE)]))
        return found
