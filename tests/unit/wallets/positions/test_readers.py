"""Readers of each chain, the reviewed contracts behind them, and rounds that they share."""

import asyncio
import csv
from collections import Counter
from collections.abc import Sequence
from importlib.resources import files

import pytest
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from assets.registry.chains import chains, chains_by_id
from assets.registry.identifiers import instrument_id
from assets.wallets.codec import Call
from assets.wallets.model import PinnedChain, Position
from assets.wallets.positions.declared import Declared
from assets.wallets.positions.nft import NftReader
from assets.wallets.positions.readers import position_readers, receipts
from assets.wallets.positions.together import read_together
from assets.wallets.positions.uniswap_v2 import UniswapV2Reader
from assets.wallets.positions.vaults import VaultReader
from assets.wallets.positions.vesting import Vesting, VestingReader
from assets.wallets.reference import (
    aave_markets,
    canonical_instruments,
    native_mirrors,
    position_contracts,
    tokens,
    uniswap_v2_pairs,
)
from tests.unit.wallets.positions.fake_chain import ALICE, BOB, FakeChain

PAIR_CODE = {
    # keccak256 of the creation code of a pair: Uniswap/sdks v2-sdk INIT_CODE_HASH; sushiswap/v2-core, deployed router
    "uniswap-v2": "96e8ac4277198ff8b6f785478aa9a39f403cb768dd02cbee326c3e7da348845f",
    "sushiswap-v2": "e18a34eb0e04b04f7a0ac29a6e80748dca96319b42c54d679cb821dca90c6303",
}


def rows(name: str) -> list[dict[str, str]]:
    return list(csv.DictReader(files("assets.wallets.data").joinpath(name).read_text().splitlines()))


@pytest.mark.parametrize(
    ("name", "key", "addresses", "count"),
    [
        ("position_contracts.csv", ["chain_id", "address"], ["address"], 64),
        ("uniswap_v2_pairs.csv", ["chain_id", "pair"], ["pair", "token0", "token1", "factory"], 133),
        ("canonical_instruments.csv", ["chain_id", "address"], ["address"], 129),
    ],
)
def test_reviewed_rows_have_one_key_a_checksum_and_a_source(
    name: str, key: list[str], addresses: list[str], count: int
) -> None:
    found = rows(name)
    assert len({tuple(row[column].lower() for column in key) for row in found}) == len(found) == count
    assert all(row[column] == to_checksum_address(row[column].lower()) for row in found for column in addresses)
    assert all(row["source"].startswith("https://github.com/") for row in found)
    assert all(int(row["chain_id"]) in chains_by_id() for row in found)


def test_pairs_stand_where_their_factory_puts_them() -> None:
    for row in rows("uniswap_v2_pairs.csv"):
        raw = [bytes.fromhex(row[column][2:]) for column in ("factory", "token0", "token1")]
        assert raw[1] < raw[2]
        code = keccak(b"\xff" + raw[0] + keccak(raw[1] + raw[2]) + bytes.fromhex(PAIR_CODE[row["protocol"]]))
        assert row["pair"].lower() == "0x" + code[12:].hex()
    # the two that everybody knows: Uniswap's USDC/WETH and DAI/WETH
    known = {pair.pair for pair in uniswap_v2_pairs("ethereum")}
    assert known >= {"0xB4e16d0168e52d35CaCD2c6185b44281Ec28C9Dc", "0xA478c2975Ab1Ea89e8196811F51A7B7Ade33eB11"}


def test_each_position_manager_has_one_factory() -> None:
    roles = Counter((one.chain, one.role) for slug in chains() for one in position_contracts(slug))
    managers = {chain for chain, role in roles if role == "position_manager"}
    assert managers == {chain for chain, role in roles if role == "factory"}
    assert all(times == 1 for (_, role), times in roles.items() if role in ("factory", "position_manager"))
    assert len(managers) == 15


def test_economic_identity_is_by_address() -> None:
    known = {(one.chain, one.address): one for one in canonical_instruments()}
    assert known["polygon", "0x2791Bca1f2de4661ED88A30C99A7a9449Aa84174"].relation == "bridged"
    assert known["polygon", "0x3c499c542cEF5E3811e1192ce70d8cC03d5c3359"].relation == "native_issue"
    usdc = {one.canonical_instrument for one in known.values() if one.chain == "polygon" and one.relation != "wrapped"}
    assert "crypto:USDC" in usdc
    base = known["base", "0x4200000000000000000000000000000000000006"]
    assert (base.canonical_instrument, base.relation) == ("crypto:ETH", "wrapped")
    assert base.instrument_id == "eip155:8453/erc20:0x4200000000000000000000000000000000000006"
    # a token with a market price of its own is an asset of its own
    assert known["ethereum", "0x2260FAC5E5542a773Aa44fBCfeDf7C193bc2C599"].canonical_instrument == "crypto:WBTC"
    assert known["ethereum", "0xae7ab96520DE3A18E5e111B5EaAb095312D7fE84"].canonical_instrument == "crypto:STETH"
    assert {one.relation for one in known.values()} == {"native_issue", "bridged", "wrapped"}
    assert all(instrument_id(one.canonical_instrument) == one.canonical_instrument for one in known.values())
    assert all(instrument_id(one.instrument_id) == one.instrument_id for one in known.values())
    assert not any(one.address in native_mirrors(one.chain) for one in known.values())


def test_what_wraps_a_coin_is_that_coin() -> None:
    coins = {one.canonical_instrument: one.chain for one in canonical_instruments() if one.relation == "wrapped"}
    for one in canonical_instruments():
        if one.relation == "wrapped":
            assert f"crypto:{chains()[one.chain].native_symbol}" == one.canonical_instrument
    assert set(coins) == {"crypto:ETH", "crypto:BNB", "crypto:POL", "crypto:AVAX"}


def test_shipped_identities_agree_with_the_token_lists() -> None:
    # a listed token of the same address has a symbol that fits: no row was given another token's asset
    listed = {(slug, token.address): token.symbol for slug in chains() for token in tokens(slug)}
    usual = {"crypto:ETH": "WETH", "crypto:BNB": "WBNB", "crypto:POL": "WPOL", "crypto:AVAX": "WAVAX"}
    spellings = {"USDC.E", "USDCN", "USDBC", "USD₮0", "USDT0", "AAVEE", "DAIE", "WETHE", "LINKE", "WBTCE"}
    compared = 0
    for one in canonical_instruments():
        if (one.chain, one.address) in listed:
            symbol = listed[one.chain, one.address].upper()
            expected = usual.get(one.canonical_instrument, one.canonical_instrument.removeprefix("crypto:"))
            assert symbol == expected or (symbol in spellings and symbol[:3] == expected[:3]), (one, symbol)
            compared += 1
    assert compared == 105


def test_a_receipt_is_read_as_a_position_and_never_as_a_token() -> None:
    ethereum = receipts("ethereum")
    reserve = aave_markets("ethereum")[0].reserves[0]
    assert {reserve.a_token, reserve.variable_debt_token} <= ethereum
    assert {one.address for one in position_contracts("ethereum") if one.role == "comet"} <= ethereum
    assert "0xae7ab96520DE3A18E5e111B5EaAb095312D7fE84" in ethereum
    # what is behind a receipt stays a token
    assert not {one.underlying for one in position_contracts("ethereum")} & ethereum - {
        one.address for one in position_contracts("ethereum")
    }
    assert "0xC02aaA39b223FE8D0A0e5C4F27eAD9083C756Cc2" not in ethereum
    assert receipts("expanse") == frozenset()
    assert "0x" + "1" * 40 in receipts("expanse", [Declared(f"eip155:2/erc20:0x{'1' * 40}", "lp_token")])


def test_each_chain_has_the_readers_that_have_something_to_ask() -> None:
    names = {slug: [reader.name for reader in position_readers(slug)] for slug in chains()}
    assert names["ethereum"] == ["aave-v3", "compound-v3", "staked ether", "erc4626", "uniswap-v2", "uniswap-v3"]
    assert names["base"] == ["aave-v3", "compound-v3", "uniswap-v2", "uniswap-v3"]
    assert names["expanse"] == []
    with pytest.raises(KeyError):
        position_readers("no-such-chain")


def test_what_the_owner_declares_is_read_and_what_is_shipped_is_not_read_twice() -> None:
    one, other = "0x" + "1" * 40, "0x" + "2" * 40
    declared = [
        Declared(f"eip155:2/erc20:{one}", "lp_token", protocol="fork"),
        Declared(f"eip155:2/erc20:{one}", "lp_token", protocol="the same again"),
        Declared(f"eip155:2/erc20:{other}", "staked"),
        Declared(f"eip155:2/erc721:{one}/7", "nft"),
        Declared(f"eip155:2/erc1155:{one}", "nft"),
        Declared(f"eip155:2/erc20:{other}", "token"),
        Declared(f"eip155:2/erc20:0x{'3' * 40}", "vested", underlying=one),
    ]
    pairs, nfts, vested = position_readers("expanse", [row for row in declared if row.asset_type != "staked"])
    assert isinstance(pairs, UniswapV2Reader)
    assert [pair.address for pair in pairs.pairs] == [one]
    assert isinstance(nfts, NftReader)
    assert [(nft.address, nft.token_id) for nft in nfts.nfts] == [(one, 7)]
    assert isinstance(vested, VestingReader)
    assert vested.contracts == (Vesting(f"eip155:2/erc20:0x{'3' * 40}", "0x" + "3" * 40, one),)
    [vaults] = position_readers("expanse", declared[2:3])
    assert isinstance(vaults, VaultReader)
    shipped = uniswap_v2_pairs("ethereum")[0].pair
    again = position_readers("ethereum", [Declared(f"eip155:1/erc20:{shipped}", "lp_token")])
    [reader] = [reader for reader in again if isinstance(reader, UniswapV2Reader)]
    assert len(reader.pairs) == len(uniswap_v2_pairs("ethereum"))


class Steps:
    """A reader of so many rounds."""

    def __init__(self, name: str, steps: int, fails: bool = False) -> None:
        self.name, self._steps, self._fails = name, steps, fails

    async def read(self, chain: PinnedChain, wallets: Sequence[str]) -> list[Position]:
        seen = []
        for step in range(self._steps):
            target = f"0x{self._steps:020x}{step:020x}"
            [outcome] = await chain.call([Call(target, b"")])
            assert outcome is not None
            seen.append(outcome.returned == bytes.fromhex(target[2:]))
        if self._fails:
            raise RuntimeError("https://a.key/secret")
        return [Position(wallets[0], self.name, "nft", self.name, "nft", sum(seen), 0, ())]


class Echo(FakeChain):
    async def call(self, calls: Sequence[Call]) -> list:  # type: ignore[type-arg]
        from assets.wallets.codec import Outcome

        self.rounds.append(len(calls))
        return [Outcome(bytes.fromhex(one.target[2:]), None) for one in calls]


def test_readers_share_their_rounds_and_each_gets_its_own_answers() -> None:
    chain = Echo()
    readers = [Steps("one", 1), Steps("three", 3), Steps("none", 0), Steps("broken", 2, fails=True)]
    positions, problems = asyncio.run(read_together(readers, chain, [ALICE]))
    assert [(one.instrument_id, one.units) for one in positions] == [("one", 1), ("three", 3), ("none", 0)]
    assert chain.rounds == [3, 2, 1]
    assert problems == ["positions of broken: RuntimeError"]


def test_a_chain_that_fails_costs_every_reader_that_was_waiting() -> None:
    class Dead(FakeChain):
        async def call(self, calls: Sequence[Call]) -> list:  # type: ignore[type-arg]
            raise ConnectionError("https://a.key/secret")

    positions, problems = asyncio.run(read_together([Steps("one", 1), Steps("none", 0)], Dead(), [ALICE]))
    assert [one.instrument_id for one in positions] == ["none"]
    assert problems == ["positions of one: ConnectionError"]


def test_a_cancelled_read_leaves_no_task() -> None:
    class Slow(FakeChain):
        async def call(self, calls: Sequence[Call]) -> list:  # type: ignore[type-arg]
            await asyncio.sleep(60)
            raise AssertionError

    async def run() -> int:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(read_together([Steps("one", 1), Steps("two", 2)], Slow(), [ALICE]), 0.01)
        return len(asyncio.all_tasks())

    assert asyncio.run(run()) == 1


def test_all_readers_of_ethereum_ask_one_round_where_nothing_is_held() -> None:
    chain = FakeChain()
    wallets = [ALICE, BOB, *(f"0x{number:040x}" for number in range(8))]
    positions, problems = asyncio.run(read_together(position_readers("ethereum"), chain, wallets))
    assert (positions, problems) == ([], [])
    assert len(chain.rounds) == 1
