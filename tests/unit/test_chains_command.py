"""`holdfast chains`: what is listed, what is counted, and that no address is shown."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner, Result

from orchestration.command_line import app
from orchestration.settings import SettingsError

OWN = "https://hunter2hunter2hunter2.node.example/hunter3 https://u:hunter4@b.example/?key=hunter5"


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOLDFAST_RPC_ETHEREUM", "HOLDFAST_RPC_PUBLIC", "HOLDFAST_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)


def listed(*options: str, **environment: str) -> Result:
    return CliRunner().invoke(app, ["chains", *options], env=environment)


def test_mainnets_are_listed_with_slug_id_coin_endpoints_and_multicall() -> None:
    shown = listed()
    assert shown.exit_code == 0
    lines = [line.split() for line in shown.stdout.splitlines()]
    assert lines[0][:7] == ["chain", "CAIP-2", "id", "coin", "own", "public", "multicall"]
    by_slug = {line[0]: line[1:] for line in lines}
    assert by_slug["ethereum"] == ["eip155:1", "ETH", "0", "4", "yes", "Ethereum"]
    assert by_slug["ancient8"] == ["eip155:888888888", "ETH", "0", "1", "no", "Ancient8"]
    assert by_slug["bitcoin"] == ["bip122:000000000019d6689c085ae165831e93", "BTC", "0", "2", "no", "Bitcoin"]
    assert by_slug["solana"] == ["solana:5eykt4UsFv8P8NJdTREpY1vzqKqZKvdp", "SOL", "0", "1", "no", "Solana"]
    assert by_slug["399"][0] == "chains,"
    assert "sepolia" not in by_slug
    assert len(lines) == 1 + 397 + 2 + 1


def test_all_lists_test_networks_too() -> None:
    chains = json.loads(listed("--all", "--json").stdout)
    assert len(chains) == 724 + 2
    [sepolia] = [chain for chain in chains if chain["chain"] == "sepolia"]
    assert (sepolia["chain_caip2"], sepolia["is_mainnet"]) == ("eip155:11155111", False)


def test_own_endpoints_are_counted_and_never_shown() -> None:
    for options in ((), ("--json",)):
        shown = listed(*options, HOLDFAST_RPC_ETHEREUM=OWN, HOLDFAST_RPC_PUBLIC="0")
        assert shown.exit_code == 0
        assert "hunter" not in shown.output
    ethereum = json.loads(shown.stdout)[0]
    assert (ethereum["own_endpoints"], ethereum["public_endpoints"]) == (2, 0)
    assert ethereum["endpoints"] == ["….node.example", "b.example"]
    assert ethereum["variable"] == "HOLDFAST_RPC_ETHEREUM"


def test_endpoints_of_the_other_families_are_set_in_both_ways() -> None:
    shown = listed(
        "--json",
        HOLDFAST_RPC_BITCOIN="https://own.example/hunter2",
        HOLDFAST_ENDPOINT_ESPLORA="http://127.0.0.1:8999/",
        HOLDFAST_RPC_PUBLIC="0",
    )
    bitcoin, solana = json.loads(shown.stdout)[-2:]
    assert (bitcoin["endpoints"], bitcoin["variable"]) == (["own.example", "127.0.0.1:8999"], "HOLDFAST_RPC_BITCOIN")
    assert (bitcoin["native_decimals"], solana["native_decimals"]) == (8, 9)
    assert solana["endpoints"] == []
    assert "hunter2" not in shown.output


def test_a_public_endpoint_that_is_named_as_own_is_counted_once() -> None:
    shown = listed("--json", HOLDFAST_RPC_ETHEREUM="https://cloudflare-eth.com https://cloudflare-eth.com")
    ethereum = json.loads(shown.stdout)[0]
    assert (ethereum["own_endpoints"], ethereum["public_endpoints"]) == (1, 3)


def test_a_mistyped_chain_is_told() -> None:
    shown = listed(HOLDFAST_RPC_ETHERUM="https://a.example/hunter2")
    assert shown.exit_code == 0
    assert "HOLDFAST_RPC_ETHERUM is no setting of Holdfast" in shown.stderr
    assert "hunter2" not in shown.output


def test_a_bad_address_names_variable_and_place() -> None:
    shown = listed(HOLDFAST_RPC_ETHEREUM="https://a.example b.example/hunter2")
    assert isinstance(shown.exception, SettingsError)
    assert "HOLDFAST_RPC_ETHEREUM: endpoint 2 of 2 has no scheme" in str(shown.exception)
    assert "hunter2" not in str(shown.exception)
