"""Shares in pairs."""

import pytest

from assets.wallets.codec import Outcome
from assets.wallets.model import Asset, Component, Kind
from assets.wallets.positions.uniswap_v2 import Pair, UniswapV2Reader
from tests.unit.wallets.positions.fake_chain import ALICE, BOB, FakeChain, read

PAIR = "0xB4e16d0168e52d35CaCD2c6185b44281Ec28C9Dc"
EMPTY = "0xA478c2975Ab1Ea89e8196811F51A7B7Ade33eB11"
USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
WETH = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"
READER = UniswapV2Reader("ethereum", (Pair(PAIR, "uniswap-v2"), Pair(EMPTY, "uniswap-v2")))


def chain_with(balances: dict[str, int]) -> FakeChain:
    chain = FakeChain()
    chain.token(PAIR, 18, balances)
    chain.address(PAIR, "token0()", value=USDC)
    chain.address(PAIR, "token1()", value=WETH)
    chain.answers(PAIR, "getReserves()", gives="uint112,uint112,uint32", values=[1_000_003, 7 * 10**18, 1_717_263_000])
    chain.number(PAIR, "totalSupply()", value=3_000)
    chain.number(USDC, "decimals()", value=6)
    chain.says(WETH, "decimals()", outcome=None)
    return chain


def test_a_share_is_the_floor_of_units_times_reserve_by_supply() -> None:
    chain = chain_with({ALICE: 1_000, BOB: 1})
    first, second = read(READER, chain, ALICE, BOB)
    assert (first.instrument_id, first.asset_type) == (f"eip155:1/erc20:{PAIR}", "lp_token")
    assert (first.wallet, first.units, first.decimals, first.reason) == (ALICE, 1_000, 18, None)
    # 1000 × 1000003 ÷ 3000 = 333334.33…; what a token does not say of its decimals stays unknown
    assert first.components == (
        Component(Asset("ethereum", Kind.ERC20, USDC), 333_334, 6),
        Component(Asset("ethereum", Kind.ERC20, WETH), 2_333_333_333_333_333_333, None),
    )
    assert [component.amount for component in second.components] == [333, 2_333_333_333_333_333]
    assert len(chain.rounds) == 3


def test_wallets_without_shares_cost_one_round_and_a_pair_that_was_never_created_is_nothing() -> None:
    chain = chain_with({})
    assert read(READER, chain, ALICE, BOB) == []
    assert chain.rounds == [4]


@pytest.mark.parametrize("signature", ["token0()", "getReserves()", "totalSupply()", "decimals()"])
def test_without_the_pairs_state_nothing_is_guessed(signature: str) -> None:
    chain = chain_with({ALICE: 5})
    chain.says(PAIR, signature, outcome=None)
    [position] = read(READER, chain, ALICE)
    assert (position.units, position.components, position.reason) == (0, (), "not answered")


def test_a_balance_that_is_not_answered_is_no_zero() -> None:
    chain = chain_with({})
    chain.says(PAIR, "balanceOf(address)", ALICE, outcome=Outcome(None, b""))
    [position] = read(READER, chain, ALICE)
    assert (position.units, position.components, position.reason) == (0, (), "reverted without a reason")


def test_more_than_the_supply_is_a_lie() -> None:
    [position] = read(READER, chain_with({ALICE: 3_001}), ALICE)
    assert (position.components, position.reason) == ((), "more than the total supply of 3000")


def test_a_declared_pair_without_code_is_said_to_be_none() -> None:
    reader = UniswapV2Reader("ethereum", (Pair(PAIR, "fork", is_declared=True),))
    [position] = read(reader, FakeChain(), ALICE)
    assert (position.units, position.reason) == (0, "no contract at this address on this chain")
