"""Staked ether, vaults, NFTs and vesting: what a unit is a claim on."""

import pytest

from assets.wallets.model import Asset, Component, Kind
from assets.wallets.positions.nft import NO_COMPONENTS, Nft, NftReader
from assets.wallets.positions.staked import StakedReader
from assets.wallets.positions.vaults import Vault, VaultReader
from assets.wallets.positions.vesting import Vesting, VestingReader
from assets.wallets.reference import position_contracts
from tests.unit.wallets.positions.fake_chain import ALICE, BOB, FakeChain, read

STAKED = tuple(one for one in position_contracts("ethereum") if one.role in ("steth", "wsteth", "reth", "cbeth"))
BY_ROLE = {one.role: one.address for one in STAKED}
ETHER = Asset("ethereum", Kind.NATIVE)
VAULT = "0x83F20F44975D03b1b09e64809B757c47f942BEeA"
DAI = "0x6B175474E89094C44Da98b954EedeAC495271d0F"
CONTRACT = "0x00000000000000000000000000000000C0FFEe00"


@pytest.mark.parametrize(
    ("role", "signature", "rate", "units", "ether"),
    [
        ("steth", None, None, 1_234, 1_234),
        ("wsteth", "stEthPerToken()", 1_170_000_000_000_000_001, 3, 3),
        ("wsteth", "stEthPerToken()", 1_170_000_000_000_000_001, 10**18, 1_170_000_000_000_000_001),
        ("reth", "getExchangeRate()", 1_110_000_000_000_000_000, 2 * 10**18, 2_220_000_000_000_000_000),
        ("cbeth", "exchangeRate()", 1_072_900_000_000_000_000, 10, 10),
    ],
)
def test_staked_ether_is_a_claim_on_ether(role: str, signature: str | None, rate: int, units: int, ether: int) -> None:
    chain = FakeChain()
    chain.token(BY_ROLE[role], 18, {ALICE: units})
    if signature:
        chain.number(BY_ROLE[role], signature, value=rate)
    [position] = read(StakedReader("ethereum", STAKED), chain, ALICE, BOB)
    assert (position.instrument_id, position.asset_type) == (f"eip155:1/erc20:{BY_ROLE[role]}", "staked")
    assert (position.units, position.decimals) == (units, 18)
    assert position.components == (Component(ETHER, ether, 18),)
    assert len(chain.rounds) == 1


def test_without_a_rate_the_units_are_known_and_the_claim_is_not() -> None:
    chain = FakeChain()
    chain.token(BY_ROLE["reth"], 18, {ALICE: 5})
    [position] = read(StakedReader("ethereum", STAKED), chain, ALICE)
    assert (position.units, position.components) == (5, ())
    assert position.reason == "rate: reverted without a reason"


def vault(balance: int) -> FakeChain:
    chain = FakeChain()
    chain.token(VAULT, 18, {ALICE: balance})
    chain.address(VAULT, "asset()", value=DAI)
    chain.number(VAULT, "convertToAssets(uint256)", balance, value=112)
    chain.number(DAI, "decimals()", value=18)
    return chain


def test_a_vaults_share_is_what_it_converts_to() -> None:
    reader = VaultReader("ethereum", (Vault(VAULT, "sky"),))
    chain = vault(100)
    [position] = read(reader, chain, ALICE, BOB)
    assert (position.units, position.asset_type, position.protocol) == (100, "staked", "sky")
    assert position.components == (Component(Asset("ethereum", Kind.ERC20, DAI), 112, 18),)
    assert len(chain.rounds) == 2
    chain = vault(100)
    chain.says(VAULT, "convertToAssets(uint256)", 100, outcome=None)
    [position] = read(reader, chain, ALICE)
    assert (position.units, position.components, position.reason) == (100, (), "convertToAssets: not answered")
    chain = vault(100)
    chain.says(VAULT, "decimals()", outcome=None)
    [position] = read(reader, chain, ALICE)
    assert (position.units, position.reason) == (0, "not answered")


def test_nfts_are_counted_and_never_valued() -> None:
    collection, single, multi = (
        Nft(f"eip155:1/erc721:{VAULT}", VAULT, False, None, "art", "nft"),
        Nft(f"eip155:1/erc721:{DAI}/7", DAI, False, 7, "art", "nft"),
        Nft(f"eip155:1/erc1155:{CONTRACT}/9", CONTRACT, True, 9, "art", "nft"),
    )
    chain = FakeChain()
    chain.token(VAULT, 0, {ALICE: 3})
    chain.address(DAI, "ownerOf(uint256)", 7, value=BOB)
    chain.number(CONTRACT, "balanceOf(address,uint256)", ALICE, 9, value=40)
    chain.number(CONTRACT, "balanceOf(address,uint256)", BOB, 9, value=0)
    found = read(NftReader((collection, single, multi)), chain, ALICE, BOB)
    assert [(one.wallet, one.instrument_id, one.units) for one in found] == [
        (ALICE, collection.instrument_id, 3),
        (BOB, single.instrument_id, 1),
        (ALICE, multi.instrument_id, 40),
    ]
    assert {(one.asset_type, one.decimals, one.components, one.reason) for one in found} == {
        ("nft", 0, (), NO_COMPONENTS)
    }
    [mistyped] = read(NftReader((collection,)), FakeChain(), ALICE)
    assert (mistyped.units, mistyped.reason) == (0, "no contract at this address on this chain")


def vesting(*, whose: str, beneficiary: bool, vested: int, released: int) -> FakeChain:
    chain = FakeChain()
    seconds = int(chain.block.timestamp.timestamp())
    chain.address(CONTRACT, "beneficiary()" if beneficiary else "owner()", value=whose)
    chain.number(CONTRACT, "vestedAmount(uint64)", seconds, value=vested)
    chain.number(CONTRACT, "released()", value=released)
    chain.number(CONTRACT, "vestedAmount(address,uint64)", DAI, seconds, value=vested)
    chain.number(CONTRACT, "released(address)", DAI, value=released)
    chain.number(DAI, "decimals()", value=18)
    return chain


@pytest.mark.parametrize("beneficiary", [False, True])
def test_what_is_vested_at_the_block_and_not_released_is_held(beneficiary: bool) -> None:
    one = f"eip155:1/erc20:{CONTRACT}"
    reader = VestingReader("ethereum", (Vesting(one, CONTRACT, DAI),))
    chain = vesting(whose=BOB, beneficiary=beneficiary, vested=1_000, released=400)
    [position] = read(reader, chain, ALICE, BOB)
    assert (position.wallet, position.instrument_id, position.asset_type) == (BOB, one, "vested")
    assert (position.units, position.decimals) == (600, 18)
    assert position.components == (Component(Asset("ethereum", Kind.ERC20, DAI), 600, 18),)
    assert len(chain.rounds) == 1
    native = VestingReader("ethereum", (Vesting(one, CONTRACT, None),))
    [position] = read(native, chain, BOB)
    assert position.components == (Component(ETHER, 600, 18),)
    assert read(native, chain, ALICE) == []


def test_a_vesting_contract_that_contradicts_itself_is_not_believed() -> None:
    reader = VestingReader("ethereum", (Vesting(f"eip155:1/erc20:{CONTRACT}", CONTRACT, None),))
    [position] = read(reader, vesting(whose=ALICE, beneficiary=False, vested=1, released=2), ALICE)
    assert (position.units, position.components, position.reason) == (0, (), "1 more released than vested")
    [position] = read(reader, FakeChain(), ALICE)
    assert (position.units, position.reason) == (0, "no contract at this address on this chain")
