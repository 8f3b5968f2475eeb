"""Uniswap v3 positions of wallets: from balances to amounts and fees, at one block."""

import pytest

from assets.wallets.codec import Outcome
from assets.wallets.model import Asset, Component, Kind
from assets.wallets.positions.uniswap_v3 import FIRST_POSITIONS, MAX_POSITIONS, UniswapV3Reader, pool_address
from assets.wallets.positions.uniswap_v3_math import amounts_of_liquidity, sqrt_price_at_tick
from tests.unit.wallets.positions.fake_chain import ALICE, BOB, FakeChain, read

MANAGER = "0xC36442b4a4522E871399CD717aBDD847Ab11FE88"
FACTORY = "0x1F98431c8aD98523631AE4a59f267346ea31F984"
USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
WETH = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"
ZERO = "0x" + "0" * 40
READER = UniswapV3Reader("ethereum", MANAGER, FACTORY)
# the pool that Uniswap's deployments page gives as its example (ETH/USDC 0.3 %)
POOL = "0x8ad599c3A0ff1De082011EFDDc58f1908eb6e6D8"
LOWER, UPPER, TICK = 195960, 200040, 198080
SQRT_PRICE = sqrt_price_at_tick(TICK) + 12345
LIQUIDITY = 10**17
POSITION = "uint96,address,address,address,uint24,int24,int24,uint128,uint256,uint256,uint128,uint128"
SLOT0 = "uint160,int24,uint16,uint16,uint16,uint8,bool"
TICK_INFO = "uint128,int128,uint256,uint256,int56,uint160,uint32,bool"


def test_the_pools_address_is_that_of_the_deployments_page() -> None:
    assert pool_address(FACTORY, USDC, WETH, 3000) == POOL


def chain_with(*owned: int, liquidity: int = LIQUIDITY, owed: tuple[int, int] = (11, 22)) -> FakeChain:
    chain = FakeChain()
    chain.number(MANAGER, "balanceOf(address)", BOB, value=0)
    chain.number(MANAGER, "balanceOf(address)", ALICE, value=len(owned))
    for index, one in enumerate(owned):
        chain.number(MANAGER, "tokenOfOwnerByIndex(address,uint256)", ALICE, index, value=one)
        held = [0, ZERO, USDC, WETH, 3000, LOWER, UPPER, liquidity, 2**256 - 5, 7, *owed]
        chain.answers(MANAGER, "positions(uint256)", one, gives=POSITION, values=held)
    chain.address(FACTORY, "getPool(address,address,uint24)", USDC, WETH, 3000, value=POOL)
    chain.answers(POOL, "slot0()", gives=SLOT0, values=[SQRT_PRICE, TICK, 0, 1, 1, 0, True])
    # growth inside: 10 × 2**128 − 4 of token0 and 7 + 3 × 2**128 of token1, since the counters of the position
    chain.number(POOL, "feeGrowthGlobal0X128()", value=10 * 2**128)
    chain.number(POOL, "feeGrowthGlobal1X128()", value=7 + 3 * 2**128 + 100)
    chain.answers(POOL, "ticks(int24)", LOWER, gives=TICK_INFO, values=[1, 1, 2, 60, 0, 0, 0, True])
    chain.answers(POOL, "ticks(int24)", UPPER, gives=TICK_INFO, values=[1, -1, 3, 40, 0, 0, 0, True])
    chain.number(USDC, "decimals()", value=6)
    chain.number(WETH, "decimals()", value=18)
    return chain


def test_a_position_is_its_liquidity_and_what_it_has_earned_and_is_owed() -> None:
    chain = chain_with(123)
    [position] = read(READER, chain, ALICE, BOB)
    assert position.instrument_id == f"eip155:1/erc721:{MANAGER}/123"
    assert (position.asset_type, position.protocol, position.units, position.decimals) == (
        "lp_token", "uniswap-v3", 1, 0,
    )  # fmt: skip
    behind = amounts_of_liquidity(LIQUIDITY, SQRT_PRICE, sqrt_price_at_tick(LOWER), sqrt_price_at_tick(UPPER))
    # (10 × 2**128 − 5 − (2**256 − 5)) mod 2**256 = 10 × 2**128
    assert position.components == (
        Component(Asset("ethereum", Kind.ERC20, USDC), behind[0] + 10 * LIQUIDITY + 11, 6),
        Component(Asset("ethereum", Kind.ERC20, WETH), behind[1] + 3 * LIQUIDITY + 22, 18),
    )
    assert position.reason is None
    assert len(chain.rounds) == 3


def test_wallets_without_positions_cost_one_round() -> None:
    chain = chain_with()
    assert read(READER, chain, ALICE, BOB) == []
    assert chain.rounds == [2 * (1 + FIRST_POSITIONS)]


def test_a_closed_position_is_an_empty_nft() -> None:
    assert read(READER, chain_with(5, liquidity=0, owed=(0, 0)), ALICE) == []
    [position] = read(READER, chain_with(5, liquidity=0), ALICE)
    assert [component.amount for component in position.components] == [11, 22]


def test_more_positions_than_are_asked_first_take_a_round_more() -> None:
    chain = chain_with(*range(10, 10 + FIRST_POSITIONS + 3))
    assert len(read(READER, chain, ALICE)) == FIRST_POSITIONS + 3
    assert len(chain.rounds) == 4


def test_a_wallet_flooded_with_nfts_says_how_many_were_not_read() -> None:
    chain = chain_with(1)
    chain.number(MANAGER, "balanceOf(address)", ALICE, value=10**6)
    found = read(READER, chain, ALICE)
    assert max(chain.rounds) == MAX_POSITIONS - FIRST_POSITIONS
    assert [one.reason for one in found if "were read" in str(one.reason)] == [
        "1000000 positions, of which 200 were read"
    ]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda chain: chain.says(POOL, "slot0()", outcome=None), "not answered"),
        (lambda chain: chain.says(POOL, "slot0()", outcome=Outcome(b"\1" * 31, None)), "expected 7 words, found 31"),
        (lambda chain: chain.says(POOL, "ticks(int24)", LOWER, outcome=Outcome(None, b"")), "reverted"),
        (
            lambda chain: chain.address(FACTORY, "getPool(address,address,uint24)", USDC, WETH, 3000, value=ZERO),
            "names another pool",
        ),
    ],
)
def test_without_a_sound_answer_of_the_pool_nothing_is_guessed(change: object, reason: str) -> None:
    chain = chain_with(123)
    change(chain)  # type: ignore[operator]
    [position] = read(READER, chain, ALICE)
    assert (position.units, position.components) == (1, ())
    assert reason in str(position.reason)


def test_a_position_that_is_not_answered_is_no_zero() -> None:
    chain = chain_with(123)
    chain.says(MANAGER, "positions(uint256)", 123, outcome=None)
    [position] = read(READER, chain, ALICE)
    assert (position.units, position.components, position.reason) == (0, (), "positions(123): not answered")


def test_without_the_protocol_on_the_chain_there_is_nothing() -> None:
    assert read(READER, FakeChain(), ALICE) == []
