"""Aave v3: what is supplied (aTokens) and borrowed (variable debt tokens) in the shipped markets.

Belongs here: balances of the two tokens of each reserve. Must not be here: markets (reference), health factors.

Both tokens grow by themselves and are 1:1 with the underlying at the block (https://aave.com/docs, Tokenization), so
one round tells all. Decimals are those of the reserve in the address book: both tokens take them from the underlying
when the market lists it. Stable debt does not exist any more since v3.2.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from assets.wallets import codec
from assets.wallets.codec import Call
from assets.wallets.model import Component, PinnedChain, Position
from assets.wallets.positions.reading import Receipt, instrument, token
from assets.wallets.reference import AaveReserve

PROTOCOL, CATEGORY = "aave-v3", "lending"


@dataclass(frozen=True, slots=True)
class AaveV3Reader:
    """Supplied and borrowed in some reserves."""

    slug: str
    reserves: tuple[AaveReserve, ...]

    @property
    def name(self) -> str:
        """The protocol."""
        return PROTOCOL

    async def read(self, chain: PinnedChain, wallets: Sequence[str]) -> list[Position]:
        """Positions; borrowed units and their component are negative."""
        receipts = [
            (address, sign, reserve, self._receipt(address, asset_type, reserve))
            for reserve in self.reserves
            for address, sign, asset_type in (
                (reserve.a_token, 1, "supplied"),
                (reserve.variable_debt_token, -1, "borrowed"),
            )
        ]
        outcomes = await chain.call(
            [Call(address, codec.balance_of(wallet)) for wallet in wallets for address, *_ in receipts]
        )
        found = []
        answers = iter(outcomes)
        for wallet in wallets:
            for _, sign, reserve, receipt in receipts:
                units = receipt.balance(wallet, next(answers))
                if isinstance(units, Position):
                    found.append(units)
                elif units:
                    component = Component(token(self.slug, reserve.underlying), sign * units, reserve.decimals)
                    found.append(receipt.held(wallet, sign * units, [component]))
        return found

    def _receipt(self, address: str, asset_type: str, reserve: AaveReserve) -> Receipt:
        return Receipt(instrument(self.slug, "erc20", address), asset_type, PROTOCOL, CATEGORY, reserve.decimals)
