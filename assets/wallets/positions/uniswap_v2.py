"""Uniswap v2 pairs and forks with the same ABI: a wallet's share of the two reserves.

Belongs here: pairs, shares. Must not be here: which pairs there are (reviewed data, or declared by the owner).

The share is units × reserve ÷ total supply, rounded down, as `burn` pays it (Uniswap v2 Core whitepaper, 2.4 and 3.4).
What `burn` would mint to a factory's `feeTo` at that moment is not deducted: at most a sixth of the fees since the last
mint or burn of the pool.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from assets.wallets import codec
from assets.wallets.codec import Call, Outcome
from assets.wallets.model import Component, PinnedChain, Position
from assets.wallets.positions.answers import NO_CONTRACT, UnreadError, address, decimals, number, uint, words
from assets.wallets.positions.reading import Receipt, decimals_of, instrument, token

CATEGORY = "liquidity"

_TOKEN0 = bytes.fromhex("0dfe1681")  # token0()
_TOKEN1 = bytes.fromhex("d21220a7")  # token1()
_GET_RESERVES = bytes.fromhex("0902f1ac")  # getReserves()
_TOTAL_SUPPLY = bytes.fromhex("18160ddd")  # totalSupply()
_STATE = (_TOKEN0, _TOKEN1, _GET_RESERVES, _TOTAL_SUPPLY, codec.DECIMALS)


@dataclass(frozen=True, slots=True)
class Pair:
    """One pool whose token is its share."""

    address: str
    protocol: str
    category: str = CATEGORY
    is_declared: bool = False


@dataclass(frozen=True, slots=True)
class _State:
    """A pair at the block."""

    tokens: tuple[str, str]
    reserves: tuple[int, int]
    supply: int
    decimals: int


@dataclass(frozen=True, slots=True)
class UniswapV2Reader:
    """Shares in pairs; two rounds more where a wallet has any."""

    slug: str
    pairs: tuple[Pair, ...]

    @property
    def name(self) -> str:
        """The family of protocols."""
        return "uniswap-v2"

    async def read(self, chain: PinnedChain, wallets: Sequence[str]) -> list[Position]:
        """All shares of the wallets."""
        asked = [(wallet, pair) for wallet in wallets for pair in self.pairs]
        outcomes = await chain.call([Call(pair.address, codec.balance_of(wallet)) for wallet, pair in asked])
        found: list[Position] = []
        held: list[tuple[str, Pair, int]] = []
        for (wallet, pair), outcome in zip(asked, outcomes, strict=True):
            units = self._receipt(pair, 0).balance(wallet, outcome)
            if isinstance(units, Position):
                found.append(units)
            elif units:
                held.append((wallet, pair, units))
        if not held:
            return found
        states = await self._states(chain, list(dict.fromkeys(pair for _, pair, _ in held)))
        places = await decimals_of(chain, _tokens(states.values()))
        for wallet, pair, units in held:
            state = states[pair]
            if isinstance(state, str):
                found.append(self._receipt(pair, 0).unread(wallet, state))
                continue
            receipt = self._receipt(pair, state.decimals)
            if units > state.supply:
                found.append(receipt.opaque(wallet, units, f"more than the total supply of {state.supply}"))
                continue
            components = [
                Component(token(self.slug, side), units * reserve // state.supply, places[side])
                for side, reserve in zip(state.tokens, state.reserves, strict=True)
            ]
            found.append(receipt.held(wallet, units, components))
        return found

    async def _states(self, chain: PinnedChain, pairs: list[Pair]) -> dict[Pair, _State | str]:
        """Each pair's state, or why it is not known."""
        outcomes = await chain.call([Call(pair.address, data) for pair in pairs for data in _STATE])
        return {
            pair: _state(outcomes[place * len(_STATE) : (place + 1) * len(_STATE)]) for place, pair in enumerate(pairs)
        }

    def _receipt(self, pair: Pair, places: int) -> Receipt:
        one = instrument(self.slug, "erc20", pair.address)
        return Receipt(one, "lp_token", pair.protocol, pair.category, places, pair.is_declared)


def _state(outcomes: Sequence[Outcome | None]) -> _State | str:
    token0, token1, reserves, supply, places = outcomes
    try:
        reserve0, reserve1, _ = words(reserves, 3)
        return _State(
            (address(token0), address(token1)),
            (number(reserve0, 112), number(reserve1, 112)),
            uint(supply),
            decimals(places),
        )
    except UnreadError as error:
        return "not a pair" if str(error) == NO_CONTRACT else str(error)


def _tokens(states: Iterable[_State | str]) -> list[str]:
    return [side for state in states if isinstance(state, _State) for side in state.tokens]
