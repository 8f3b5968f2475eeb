"""What all readers of positions share: receipts, their names, and how a Position tells what is not known.

Belongs here: building a Position of what was read, ids, decimals of tokens. Must not be here: what a protocol's numbers
mean, reading words (answers), rounds of several readers (together).

How a Position tells what is not known:

- `components` empty and `reason` set: what stands behind the units is not known (an NFT, a rate that was not answered).
- Beside that `units` 0: not even the balance was read. It is no zero; the last good position stays.
- No Position for a wallet and an instrument: read, and nothing there.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from assets.registry.chains import chains
from assets.wallets import codec
from assets.wallets.codec import Call, Outcome
from assets.wallets.model import Asset, Component, Kind, PinnedChain, Position
from assets.wallets.positions.answers import UnreadError, decimals_or_none, uint
from assets.wallets.reference import native_mirrors


class PositionReader(Protocol):
    """Positions of one protocol on one chain. It never makes two calls of the chain at the same time."""

    @property
    def name(self) -> str:
        """The protocol, for messages."""

    async def read(self, chain: PinnedChain, wallets: Sequence[str]) -> list[Position]:
        """All positions of the wallets at the block; `reading` says how it tells what is not known."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """The instrument of a position, before a wallet has any: attributes as those of Position.

    Attributes:
        is_declared: named by the owner. A shipped contract without code does not exist on this chain at this block,
            and nothing is held in it; a declared one was probably mistyped, and that is said.
    """

    instrument_id: str
    asset_type: str
    protocol: str
    category: str
    decimals: int
    is_declared: bool = False

    def held(self, wallet: str, units: int, components: Iterable[Component]) -> Position:
        """A position that was read."""
        return self._position(wallet, units, self.decimals, tuple(components), None)

    def opaque(self, wallet: str, units: int, reason: str) -> Position:
        """Units that were read; what stands behind them is not known."""
        return self._position(wallet, units, self.decimals, (), reason)

    def unread(self, wallet: str, reason: str) -> Position:
        """Not even the balance is known."""
        return self._position(wallet, 0, self.decimals, (), reason)

    def balance(self, wallet: str, outcome: Outcome | None) -> "int | Position | None":
        """The balance above zero; None where nothing is held; a Position that says why it is not known."""
        if not self.is_declared and outcome is not None and outcome.returned == b"":
            return None
        try:
            return uint(outcome) or None
        except UnreadError as error:
            return self.unread(wallet, str(error))

    def _position(
        self, wallet: str, units: int, decimals: int, components: tuple[Component, ...], reason: str | None
    ) -> Position:
        return Position(
            wallet=wallet,
            instrument_id=self.instrument_id,
            asset_type=self.asset_type,
            protocol=self.protocol,
            category=self.category,
            units=units,
            decimals=decimals,
            components=components,
            reason=reason,
        )


# -- names


def instrument(slug: str, standard: str, address: str, token: str | int | None = None) -> str:
    """The id of something on an EVM chain: CAIP-19; `comet` and `vesting` are namespaces of ours for what has no token.

    Raises:
        KeyError: there is no such chain.
    """
    return f"{chains()[slug].caip2}/{standard}:{address}" + ("" if token is None else f"/{token}")


def token(slug: str, address: str) -> Asset:
    """A token as an asset, the address in EIP-55; a mirror of the native coin (CELO as a token) is that coin.

    Raises:
        KeyError: there is no such chain.
    """
    return Asset(slug, Kind.NATIVE) if address in native_mirrors(slug) else Asset(slug, Kind.ERC20, address)


def native(slug: str, amount: int) -> Component:
    """So much of the chain's native coin.

    Raises:
        KeyError: there is no such chain.
    """
    return Component(Asset(slug, Kind.NATIVE), amount, chains()[slug].native_decimals)


async def decimals_of(chain: PinnedChain, tokens: Iterable[str]) -> dict[str, int | None]:
    """One round: the decimals of each token, None where it does not answer."""
    asked = list(dict.fromkeys(tokens))
    outcomes = await chain.call([Call(one, codec.DECIMALS) for one in asked]) if asked else []
    return {one: decimals_or_none(outcome) for one, outcome in zip(asked, outcomes, strict=True)}
