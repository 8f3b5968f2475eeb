"""The shipped reference data: addresses, keys, and the traps that are known to be in it."""

import csv
import gzip
from collections import Counter
from collections.abc import Iterator
from importlib.resources import files

import pytest
from web3 import Web3

from assets.registry.chains import MULTICALL3_IMPOSTORS, chains, chains_by_id, mainnets
from assets.wallets import reference
from assets.wallets.reference import aave_markets, multicall3_addresses, native_coins, native_mirrors, tokens

MULTICALL3 = "0xcA11bde05977b3631167028862bE2a173976CA11"
DATA = files("assets.wallets.data")


def rows(name: str) -> Iterator[dict[str, str]]:
    data = DATA.joinpath(name).read_bytes()
    return csv.DictReader((gzip.decompress(data) if name.endswith(".gz") else data).decode().splitlines())


@pytest.mark.parametrize(
    ("name", "columns", "optional"),
    [
        ("chains.csv", ["multicall3_address"], True),
        ("multicall3_deployments.csv", ["address"], False),
        ("tokens.csv.gz", ["address"], False),
        ("native_mirrors.csv", ["address"], False),
        ("aave_v3_markets.csv", ["pool", "protocol_data_provider", "oracle", "collector"], False),
        ("aave_v3_reserves.csv", ["underlying", "a_token", "variable_debt_token", "price_oracle"], False),
    ],
)
def test_every_address_has_its_eip_55_spelling(name: str, columns: list[str], optional: bool) -> None:
    addresses = [row[column] for row in rows(name) for column in columns if row[column] or not optional]
    assert addresses
    assert [address for address in addresses if not Web3.is_checksum_address(address)] == []


@pytest.mark.parametrize(
    ("name", "key", "count"),
    [
        ("chains.csv", ["chain_id"], 724),
        ("multicall3_deployments.csv", ["chain_id", "name"], 284),
        ("tokens.csv.gz", ["chain_id", "address"], 3541),
        ("native_mirrors.csv", ["chain_id", "address"], 8),
        ("aave_v3_markets.csv", ["market"], 29),
        ("aave_v3_reserves.csv", ["market", "underlying"], 306),
        ("aave_v3_reserves.csv", ["chain_id", "a_token"], 306),
        ("aave_v3_reserves.csv", ["chain_id", "variable_debt_token"], 306),
    ],
)
def test_keys_are_unique(name: str, key: list[str], count: int) -> None:
    counts = Counter(tuple(row[column].lower() for column in key) for row in rows(name))
    assert [found for found, times in counts.items() if times > 1] == []
    assert len(counts) == count


def test_every_reserve_and_market_belongs_to_a_known_chain_and_market() -> None:
    markets = {row["market"]: row["chain_id"] for row in rows("aave_v3_markets.csv")}
    assert all(markets[row["market"]] == row["chain_id"] for row in rows("aave_v3_reserves.csv"))
    found = [market for slug in chains() for market in aave_markets(slug)]
    assert (len(found), sum(len(market.reserves) for market in found)) == (29, 306)
    assert {market.name for market in aave_markets("ethereum")} >= {"AaveV3Ethereum", "AaveV3EthereumEtherFi"}
    assert all(market.reserves and market.chain == "ethereum" for market in aave_markets("ethereum"))


def test_what_is_published_of_a_chain() -> None:
    ethereum = chains()["ethereum"]
    assert (ethereum.native_symbol, ethereum.native_decimals, ethereum.block_time_ms) == ("ETH", 18, 12000)
    assert (ethereum.multicall3_address, ethereum.multicall3_created_block) == (MULTICALL3, 14353601)
    assert ethereum.public_urls[0] == "https://ethereum.reth.rs/rpc"
    assert chains_by_id()[137].slug == "polygon"
    assert chains()["polygon-zk-evm"].variable == "POLYGON_ZK_EVM"
    with pytest.raises(KeyError):
        tokens("no-such-chain")


def test_names_of_variables_are_unique_and_not_taken() -> None:
    variables = Counter(chain.variable for chain in chains().values())
    assert max(variables.values()) == 1
    assert "PUBLIC" not in variables


def test_native_decimals_are_not_always_18() -> None:
    other = {slug: chain.native_decimals for slug, chain in chains().items() if chain.native_decimals != 18}
    assert (other["tron"], other["nautilus"], len(other)) == (6, 9, 7)


def test_an_endpoint_that_lacks_a_key_is_none() -> None:
    assert chains()["silent-data"].public_urls == ("https://mainnet.silentdata.com",)
    assert all("{" not in url for chain in chains().values() for url in chain.public_urls)


def test_usdc_and_usdt_have_18_decimals_on_bnb_chain_and_6_elsewhere() -> None:
    stable = {token.symbol: token.decimals for token in tokens("bsc") if token.symbol in ("USDC", "USDT")}
    assert stable == {"USDC": 18, "USDT": 18}
    usdc = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
    [token] = [token for token in tokens("ethereum") if token.address == usdc]
    assert (token.symbol, token.decimals, token.instrument_id) == ("USDC", 6, f"eip155:1/erc20:{usdc}")


def test_tokens_without_decimals_of_their_own_are_0_and_not_18() -> None:
    assert sum(token.decimals == 0 for slug in chains() for token in tokens(slug)) == 71


def test_a_symbol_is_no_key() -> None:
    counts = Counter((slug, token.symbol.lower()) for slug in chains() for token in tokens(slug))
    assert sum(times > 1 for times in counts.values()) == 161


def test_the_native_coin_is_never_a_token_too() -> None:
    celo = "0x471EcE3750Da237f93B8E339c536989b8978a438"
    assert native_mirrors("celo") == {celo}
    assert celo not in {token.address for token in tokens("celo")}
    listed = [(row["chain_id"], row["address"]) for row in rows("tokens.csv.gz")]
    assert ("42220", celo) in listed
    zero = "0x" + "0" * 40
    assert zero not in {token.address for slug in chains() for token in tokens(slug)}
    legacy = "0xDeadDeAddeAddEAddeadDEaDDEAdDeaDDeAD0000"
    assert legacy not in {token.address for slug in chains() for token in tokens(slug)}
    assert native_mirrors("base") == frozenset()


def test_all_other_tokens_of_known_chains_are_there() -> None:
    # six mirrors or placeholders, and one token of a chain that is in no list
    assert sum(len(tokens(slug)) for slug in chains()) == 3541 - 6 - 1


def test_economic_coins_name_mainnets_and_their_own_symbol() -> None:
    listed = list(rows("native_coins.csv"))
    assert len(listed) == len(native_coins()) == len({row["chain_id"] for row in listed}) == 95
    for row in listed:
        chain = chains_by_id()[int(row["chain_id"])]
        assert (chain.is_mainnet, row["canonical_instrument"]) == (True, f"crypto:{chain.native_symbol}")
        assert row["source"]
    assert native_coins()["arbitrum"] == "crypto:ETH"
    # "Ham" is called ETH too, and a bitcoin of a rollup is a claim on one
    assert not {"ham", "rootstock", "corn"} & native_coins().keys()


def test_multicall3_stands_elsewhere_on_zk_chains() -> None:
    assert multicall3_addresses("zk-sync") == ("0xF9cda624FBC7e059355ce98a31693d299FACd963",)
    assert multicall3_addresses("abstract")[0] != MULTICALL3
    elsewhere = [slug for slug in mainnets() if chains()[slug].multicall3_address not in (None, MULTICALL3)]
    assert len(elsewhere) == 35
    assert sum(chains()[slug].multicall3_address is None for slug in mainnets()) == 193


def test_ids_that_were_used_again_have_one_multicall3_address_all_the_same() -> None:
    # 42 was Kovan and is LUKSO; the list keeps both
    addresses = {(row["chain_id"], row["address"]) for row in rows("multicall3_deployments.csv")}
    assert len(addresses) == len({chain_id for chain_id, _ in addresses}) == 281


def test_where_two_lists_disagree_both_addresses_are_known() -> None:
    both = {slug: multicall3_addresses(slug) for slug in chains() if len(multicall3_addresses(slug)) > 1}
    assert len(both) == 13
    assert both["lisk"] == ("0xA9d71E1dd7ca26F26e656E66d6AA81ed7f745bf0", MULTICALL3)
    assert multicall3_addresses("ethereum") == (MULTICALL3,)
    assert multicall3_addresses("expanse") == ()


def test_the_impostor_is_never_used(monkeypatch: pytest.MonkeyPatch) -> None:
    ancient8 = chains_by_id()[888888888]
    assert ancient8.evm_id in MULTICALL3_IMPOSTORS
    assert ancient8.multicall3_address is None
    assert multicall3_addresses(ancient8.slug) == ()
    # also when a later list names it
    monkeypatch.setattr(reference, "_rows", lambda name: [{"chain_id": "888888888", "address": MULTICALL3}])
    reference._deployments.cache_clear()
    try:
        assert multicall3_addresses(ancient8.slug) == ()
    finally:
        reference._deployments.cache_clear()
