"""Aave v3 and Compound v3: supplied, borrowed, collateral."""

from assets.wallets.model import Asset, Component, Kind
from assets.wallets.positions.aave_v3 import AaveV3Reader
from assets.wallets.positions.compound_v3 import CompoundV3Reader
from assets.wallets.reference import aave_markets
from tests.unit.wallets.positions.fake_chain import ALICE, BOB, FakeChain, read

USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
WETH = "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2"
WBTC = "0x2260FAC5E5542a773Aa44fBCfeDf7C193bc2C599"
COMET = "0xc3d688B66703497DAA19211EEdff47f25384cdc3"
OTHER_COMET = "0xA17581A9E3356d9A858b789D68B4d866e593aE94"
ASSET_INFO = "uint8,address,address,uint64,uint64,uint64,uint64,uint128"
ZERO = "0x" + "0" * 40


def test_aave_supplied_and_borrowed_are_of_the_underlying_and_debt_is_negative() -> None:
    [market] = [market for market in aave_markets("ethereum") if market.name == "AaveV3Ethereum"]
    usdc = next(reserve for reserve in market.reserves if reserve.underlying == USDC)
    weth = next(reserve for reserve in market.reserves if reserve.underlying == WETH)
    chain = FakeChain()
    chain.token(usdc.a_token, 6, {ALICE: 5_000_001})
    chain.token(usdc.variable_debt_token, 6, {BOB: 7})
    chain.token(weth.a_token, 18, {})
    chain.token(weth.variable_debt_token, 18, {ALICE: 2 * 10**18})
    supplied, borrowed, bobs = read(AaveV3Reader("ethereum", (usdc, weth)), chain, ALICE, BOB)
    assert (supplied.instrument_id, supplied.asset_type) == (f"eip155:1/erc20:{usdc.a_token}", "supplied")
    assert (supplied.units, supplied.decimals) == (5_000_001, 6)
    assert supplied.components == (Component(Asset("ethereum", Kind.ERC20, USDC), 5_000_001, 6),)
    assert (borrowed.instrument_id, borrowed.asset_type) == (f"eip155:1/erc20:{weth.variable_debt_token}", "borrowed")
    assert (borrowed.wallet, borrowed.units) == (ALICE, -2 * 10**18)
    assert borrowed.components == (Component(Asset("ethereum", Kind.ERC20, WETH), -2 * 10**18, 18),)
    assert (bobs.wallet, bobs.units) == (BOB, -7)
    assert chain.rounds == [8]


def test_an_aave_balance_that_is_not_answered_costs_only_itself() -> None:
    reserve = aave_markets("ethereum")[0].reserves[0]
    chain = FakeChain()
    chain.says(reserve.a_token, "balanceOf(address)", ALICE, outcome=None)
    chain.token(reserve.variable_debt_token, 18, {ALICE: 1})
    unread, borrowed = read(AaveV3Reader("ethereum", (reserve,)), chain, ALICE)
    assert (unread.units, unread.components, unread.reason) == (0, (), "not answered")
    assert (borrowed.units, borrowed.reason) == (-1, None)


def comet_with(wallet: str, supplied: int, borrowed: int, assets_in: int, reserved: int = 0) -> FakeChain:
    chain = FakeChain()
    chain.number(COMET, "decimals()", value=6)
    chain.address(COMET, "baseToken()", value=USDC)
    chain.number(COMET, "balanceOf(address)", wallet, value=supplied)
    chain.number(COMET, "borrowBalanceOf(address)", wallet, value=borrowed)
    chain.answers(
        COMET, "userBasic(address)", wallet,
        gives="int104,uint64,uint64,uint16,uint8", values=[-5, 1, 2, assets_in, reserved],
    )  # fmt: skip
    for index, asset, scale, amount in ((1, WBTC, 10**8, 3), (17, WETH, 10**18, 4 * 10**18)):
        info = [index, asset, ZERO, scale, 1, 1, 1, 1]
        chain.answers(COMET, "getAssetInfo(uint8)", index, gives=ASSET_INFO, values=info)
        chain.number(COMET, "collateralBalanceOf(address,address)", wallet, asset, value=amount)
    return chain


READER = CompoundV3Reader("ethereum", (COMET, OTHER_COMET))


def test_compound_debt_and_collateral_have_ids_of_their_own() -> None:
    chain = comet_with(ALICE, 0, 1_500_000, 0b10, reserved=0b10)
    borrowed, bitcoin, ether = read(READER, chain, ALICE)
    assert (borrowed.instrument_id, borrowed.asset_type) == (f"eip155:1/comet:{COMET}/borrowed", "borrowed")
    assert (borrowed.units, borrowed.decimals) == (-1_500_000, 6)
    assert borrowed.components == (Component(Asset("ethereum", Kind.ERC20, USDC), -1_500_000, 6),)
    assert (bitcoin.instrument_id, bitcoin.asset_type) == (f"eip155:1/comet:{COMET}/{WBTC}", "supplied")
    assert bitcoin.components == (Component(Asset("ethereum", Kind.ERC20, WBTC), 3, 8),)
    assert ether.components == (Component(Asset("ethereum", Kind.ERC20, WETH), 4 * 10**18, 18),)
    assert len(chain.rounds) == 3


def test_compound_supplied_is_the_comets_own_token() -> None:
    chain = comet_with(ALICE, 9, 0, 0)
    [supplied] = read(READER, chain, ALICE)
    assert (supplied.instrument_id, supplied.units) == (f"eip155:1/erc20:{COMET}", 9)
    assert len(chain.rounds) == 2


def test_compound_without_anything_costs_one_round() -> None:
    chain = comet_with(ALICE, 0, 0, 0)
    assert read(READER, chain, ALICE) == []
    assert chain.rounds == [6]


def test_what_compound_does_not_answer_is_not_guessed() -> None:
    chain = comet_with(ALICE, 9, 0, 0b10)
    chain.says(COMET, "collateralBalanceOf(address,address)", ALICE, WBTC, outcome=None)
    supplied, collateral = read(READER, chain, ALICE)
    assert (supplied.units, supplied.reason) == (9, None)
    assert (collateral.units, collateral.components, collateral.reason) == (0, (), "not answered")
    chain = comet_with(ALICE, 9, 0, 0b10)
    chain.says(COMET, "userBasic(address)", ALICE, outcome=None)
    assert [(one.units, one.reason) for one in read(READER, chain, ALICE)] == [(0, "not answered")] * 2
    chain = comet_with(ALICE, 0, 0, 0b10)
    chain.answers(COMET, "getAssetInfo(uint8)", 1, gives=ASSET_INFO, values=[1, WBTC, ZERO, 12, 1, 1, 1, 1])
    [unknown] = read(READER, chain, ALICE)
    assert (unknown.units, unknown.reason) == (0, "a scale of 12 is no power of ten")
