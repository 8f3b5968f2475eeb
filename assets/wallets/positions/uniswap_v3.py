"""Uniswap v3 positions: NFTs of the position manager, with what their liquidity is made of and uncollected fees.

Belongs here: which calls tell that, in which order. Must not be here: the arithmetic (uniswap_v3_math).

Rounds: balances and the first positions of each wallet; the rest of the numbers where a wallet has more; what the
manager knows of each position; the pools. The pool's address is computed (CREATE2) so that it need not be asked first,
and the factory's own answer is compared with it in the same round.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from assets.wallets import codec
from assets.wallets.codec import Call, Outcome, encode_int256, encode_uint256
from assets.wallets.model import Component, PinnedChain, Position
from assets.wallets.positions import uniswap_v3_math as maths
from assets.wallets.positions.answers import (
    UnreadError,
    address,
    address_of,
    decimals_or_none,
    number,
    signed,
    spelled,
    uint,
    words,
)
from assets.wallets.positions.reading import Receipt, instrument, token

PROTOCOL, CATEGORY = "uniswap-v3", "liquidity"
#: keccak256 of the creation code of a pool: v3-sdk, `poolInitCodeHash` (ZKsync has another one and is not read).
POOL_INIT_CODE_HASH = bytes.fromhex("e34f199b19b2b4f47f68442619d555527d244f78a3297ea89325f843f87b8b54")
#: Positions of a wallet that are asked for before it is known how many there are: most wallets have none or few.
FIRST_POSITIONS = 4
#: Anybody may send NFTs to anybody; what is beyond is said, not read.
MAX_POSITIONS = 200

_TOKEN_OF_OWNER_BY_INDEX = bytes.fromhex("2f745c59")  # tokenOfOwnerByIndex(address,uint256)
_POSITIONS = bytes.fromhex("99fbab88")  # positions(uint256)
_GET_POOL = bytes.fromhex("1698ee82")  # getPool(address,address,uint24)
_SLOT0 = bytes.fromhex("3850c7bd")  # slot0()
_FEE_GROWTH_GLOBAL_0 = bytes.fromhex("f3058399")  # feeGrowthGlobal0X128()
_FEE_GROWTH_GLOBAL_1 = bytes.fromhex("46141319")  # feeGrowthGlobal1X128()
_TICKS = bytes.fromhex("f30dba93")  # ticks(int24)


@dataclass(frozen=True, slots=True)
class _Liquidity:
    """What the manager says of a position."""

    token0: str
    token1: str
    fee: int
    lower: int
    upper: int
    liquidity: int
    inside: tuple[int, int]
    owed: tuple[int, int]


@dataclass(frozen=True, slots=True)
class UniswapV3Reader:
    """Positions of one manager, whose pools are of one factory."""

    slug: str
    manager: str
    factory: str

    @property
    def name(self) -> str:
        """The protocol."""
        return PROTOCOL

    async def read(self, chain: PinnedChain, wallets: Sequence[str]) -> list[Position]:
        """All positions with liquidity or something owed; a closed one is an empty NFT and is left out."""
        found, owned = await self._numbers(chain, wallets)
        if not owned:
            return found
        outcomes = await chain.call([Call(self.manager, _POSITIONS + encode_uint256(one)) for _, one in owned])
        live: list[tuple[str, Receipt, _Liquidity]] = []
        for (wallet, one), outcome in zip(owned, outcomes, strict=True):
            receipt = self._receipt(one)
            try:
                held = _liquidity(outcome)
            except UnreadError as error:
                found.append(receipt.unread(wallet, f"positions({one}): {error}"))
                continue
            if held.liquidity or any(held.owed):
                live.append((wallet, receipt, held))
        return found + await self._valued(chain, live)

    async def _numbers(
        self, chain: PinnedChain, wallets: Sequence[str]
    ) -> tuple[list[Position], list[tuple[str, int]]]:
        """Which positions each wallet has: their numbers, and what could not be read."""
        whole = Receipt(instrument(self.slug, "erc721", self.manager), "lp_token", PROTOCOL, CATEGORY, 0)
        step = 1 + FIRST_POSITIONS
        outcomes = await chain.call(
            [
                call
                for wallet in wallets
                for call in (
                    Call(self.manager, codec.balance_of(wallet)),
                    *(self._by_index(wallet, index) for index in range(FIRST_POSITIONS)),
                )
            ]
        )
        problems: list[Position] = []
        asked: list[tuple[str, int, Outcome | None]] = []
        rest: list[tuple[str, int]] = []
        for place, wallet in enumerate(wallets):
            count = whole.balance(wallet, outcomes[place * step])
            if isinstance(count, Position):
                problems.append(count)
            elif count:
                for index, outcome in enumerate(outcomes[place * step + 1 : (place + 1) * step][:count]):
                    asked.append((wallet, index, outcome))
                rest += [(wallet, index) for index in range(FIRST_POSITIONS, min(count, MAX_POSITIONS))]
                if count > MAX_POSITIONS:
                    problems.append(whole.unread(wallet, f"{count} positions, of which {MAX_POSITIONS} were read"))
        if rest:
            more = await chain.call([self._by_index(wallet, index) for wallet, index in rest])
            asked += [(wallet, index, outcome) for (wallet, index), outcome in zip(rest, more, strict=True)]
        owned: list[tuple[str, int]] = []
        for wallet, index, outcome in asked:
            try:
                owned.append((wallet, uint(outcome)))
            except UnreadError as error:
                problems.append(whole.unread(wallet, f"position at index {index}: {error}"))
        return problems, owned

    async def _valued(self, chain: PinnedChain, live: list[tuple[str, Receipt, _Liquidity]]) -> list[Position]:
        """Amounts and fees of each position, from the state of its pool."""
        calls: dict[Call, None] = {}
        for _, _, held in live:
            pool = pool_address(self.factory, held.token0, held.token1, held.fee)
            calls.update(dict.fromkeys(self._pool_calls(pool, held)))
        outcomes = dict(zip(calls, await chain.call(list(calls)), strict=True))
        found = []
        for wallet, receipt, held in live:
            pool = pool_address(self.factory, held.token0, held.token1, held.fee)
            get_pool, slot0, growth0, growth1, lower, upper, decimals0, decimals1 = (
                outcomes[call] for call in self._pool_calls(pool, held)
            )
            try:
                if address(get_pool) != pool:
                    raise UnreadError("the factory names another pool than the one that was computed")
                amounts = _amounts(held, slot0, (growth0, growth1), lower, upper)
            except UnreadError as error:
                found.append(receipt.opaque(wallet, 1, f"pool {pool}: {error}"))
                continue
            sides = zip((held.token0, held.token1), amounts, (decimals0, decimals1), strict=True)
            components = [
                Component(token(self.slug, side), amount, decimals_or_none(places)) for side, amount, places in sides
            ]
            found.append(receipt.held(wallet, 1, components))
        return found

    def _pool_calls(self, pool: str, held: _Liquidity) -> tuple[Call, ...]:
        key = codec.encode_address(held.token0) + codec.encode_address(held.token1) + encode_uint256(held.fee)
        return (
            Call(self.factory, _GET_POOL + key),
            Call(pool, _SLOT0),
            Call(pool, _FEE_GROWTH_GLOBAL_0),
            Call(pool, _FEE_GROWTH_GLOBAL_1),
            Call(pool, _TICKS + encode_int256(held.lower)),
            Call(pool, _TICKS + encode_int256(held.upper)),
            Call(held.token0, codec.DECIMALS),
            Call(held.token1, codec.DECIMALS),
        )

    def _by_index(self, wallet: str, index: int) -> Call:
        return Call(self.manager, _TOKEN_OF_OWNER_BY_INDEX + codec.encode_address(wallet) + encode_uint256(index))

    def _receipt(self, one: int) -> Receipt:
        return Receipt(instrument(self.slug, "erc721", self.manager, one), "lp_token", PROTOCOL, CATEGORY, 0)


@cache
def pool_address(factory: str, token0: str, token1: str, fee: int) -> str:
    """Where CREATE2 puts the pool of two tokens (in the order of their addresses) and a fee in millionths."""
    from eth_utils.crypto import keccak

    salt = keccak(codec.encode_address(token0) + codec.encode_address(token1) + encode_uint256(fee))
    code = keccak(b"\xff" + bytes.fromhex(factory[2:]) + salt + POOL_INIT_CODE_HASH)
    return spelled("0x" + code[12:].hex())


def _liquidity(outcome: Outcome | None) -> _Liquidity:
    """Positions(tokenId): nonce, operator, token0, token1, fee, ticks, liquidity, two growths, two amounts owed."""
    _, _, token0, token1, fee, lower, upper, liquidity, inside0, inside1, owed0, owed1 = words(outcome, 12)
    held = _Liquidity(
        token0=address_of(token0),
        token1=address_of(token1),
        fee=number(fee, 24),
        lower=signed(lower, 24),
        upper=signed(upper, 24),
        liquidity=number(liquidity, 128),
        inside=(number(inside0), number(inside1)),
        owed=(number(owed0, 128), number(owed1, 128)),
    )
    if not maths.MIN_TICK <= held.lower < held.upper <= maths.MAX_TICK:
        raise UnreadError(f"ticks {held.lower} and {held.upper} are no range")
    return held


def _amounts(
    held: _Liquidity,
    slot0: Outcome | None,
    growths: tuple[Outcome | None, Outcome | None],
    lower: Outcome | None,
    upper: Outcome | None,
) -> tuple[int, int]:
    """What liquidity is made of, fees not collected yet, and what is owed already: token0 and token1."""
    price, tick, *_ = words(slot0, 7)
    sqrt_price, current = number(price, 160), signed(tick, 24)
    behind = maths.amounts_of_liquidity(
        held.liquidity, sqrt_price, maths.sqrt_price_at_tick(held.lower), maths.sqrt_price_at_tick(held.upper)
    )
    low, high = words(lower, 8), words(upper, 8)  # gross, net, fees outside of token0, of token1, four more
    totals = []
    for side in (0, 1):
        inside = maths.fee_growth_inside(
            current, held.lower, held.upper, uint(growths[side]), number(low[2 + side]), number(high[2 + side])
        )
        earned = maths.fees_since(inside, held.inside[side], held.liquidity)
        totals.append(behind[side] + earned + held.owed[side])
    return totals[0], totals[1]
