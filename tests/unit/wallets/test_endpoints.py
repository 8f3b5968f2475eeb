"""Endpoints of a chain: the owner's own first, the public ones after, none twice."""

from assets.registry.chains import chains
from assets.registry.other_chains import other_chains
from assets.wallets.endpoints import chain_endpoints

ETHEREUM = chains()["ethereum"]
OWN = {"ethereum": ("https://own.example/v2/hunter2", "https://cloudflare-eth.com", "https://own.example/v3")}


def test_own_endpoints_come_before_the_public_ones_and_none_comes_twice() -> None:
    endpoints = chain_endpoints(ETHEREUM, OWN, is_public_asked=True)
    assert [endpoint.label for endpoint in endpoints] == [
        "own.example", "cloudflare-eth.com", "own.example#2",
        "ethereum.reth.rs", "api.mycryptoapi.com", "ethereum.publicnode.com",
    ]  # fmt: skip
    assert [endpoint.rank for endpoint in endpoints] == list(range(6))
    assert endpoints[0].url == "https://own.example/v2/hunter2"
    assert "hunter2" not in f"{endpoints} {endpoints[0]}"


def test_public_endpoints_can_be_left_out() -> None:
    assert len(chain_endpoints(ETHEREUM, OWN, is_public_asked=False)) == 3
    assert chain_endpoints(chains()["base"], OWN, is_public_asked=False) == ()


def test_every_public_endpoint_of_the_list_can_be_asked() -> None:
    for chain in chains().values():
        assert len(chain_endpoints(chain, {}, is_public_asked=True)) == len(chain.public_urls)


def test_a_replacement_keeps_the_path_and_is_asked_also_when_public_ones_are_not() -> None:
    bitcoin, solana = other_chains()["bitcoin"], other_chains()["solana"]
    instead = {"esplora": "http://127.0.0.1:8999", "binance": "http://127.0.0.1:1"}
    for is_public_asked in (True, False):
        found = chain_endpoints(bitcoin, {}, is_public_asked=is_public_asked, instead=instead)
        assert [endpoint.url for endpoint in found] == ["http://127.0.0.1:8999/api"]
    assert len(chain_endpoints(bitcoin, {}, is_public_asked=True)) == 2
    assert [endpoint.url for endpoint in chain_endpoints(solana, {}, is_public_asked=True, instead=instead)] == [
        "https://api.mainnet-beta.solana.com"
    ]
