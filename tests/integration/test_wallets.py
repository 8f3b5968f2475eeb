"""Wallets through whole runs against real nodes: published, unchanged, one chain dead, killed in the middle."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from assets.publication.runs import request_snapshots
from assets.warehouse.database import connect
from tests.evm_contracts import token
from tests.evm_nodes import EvmNode, EvmNodes
from tests.integration.test_readers import kill_at
from tests.pipeline_runs import marts, one, portfolio, rows, run, write_inputs

WALLET = "0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045"
OTHER = "0x" + "22" * 20
USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
JUNK = "0x0000000000085d4780B73119b644AE5ecd22b376"
#: Aave's receipts for USDC that is supplied and owed (Ethereum, AaveV3Ethereum)
SUPPLIED, OWED = "0x98C23E9d8f34FEFb1B7BD6a91B7FF122F4e16F5c", "0x72E95b8931767C79bA4EeE721354d6E99a61D004"
ETHER, BASE_ETHER = "eip155:1/slip44:60", "eip155:8453/slip44:60"
YESTERDAY = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()

pytestmark = pytest.mark.usefixtures("live_chains")


@pytest.fixture
def live_chains(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, EvmNode]]:
    """Ethereum and Base as local nodes, and no other source."""
    with EvmNodes() as nodes:
        started = {"ethereum": nodes.start(1), "base": nodes.start(8453)}
        monkeypatch.setenv("HOLDFAST_SOURCES", "chains")
        monkeypatch.setenv("HOLDFAST_RPC_PUBLIC", "0")
        for slug, node in started.items():
            monkeypatch.setenv(f"HOLDFAST_RPC_{slug.upper()}", node.url)
        yield started


def inputs(folder: Path, chains: tuple[str, ...] = ("ethereum", "base")) -> Path:
    wallet = {"id": "nano", "kind": "wallet", "address": WALLET, "chains": list(chains)}
    same = {"id": "again", "kind": "wallet", "address": WALLET, "chains": ["ethereum"]}
    written = write_inputs(
        folder,
        [portfolio("p", accounts=[wallet]), portfolio("q", user_id="other", accounts=[same])],
        prices=[f"crypto:ETH,{YESTERDAY},2000,USD", f"crypto:USDC,{YESTERDAY},1,USD"],
    )
    (written / "instruments.csv").write_text(
        f"instrument,name,asset_class,canonical_instrument\neip155:1/erc20:{USDC},USD Coin,crypto,crypto:USDC\n"
    )
    return written


def assets(url: str, name: str = "p") -> dict[str, tuple[object, ...]]:
    found = rows(
        url,
        "select instrument_id, balance, value_usd, balance_status, block_number, block_hash from marts.portfolio_assets"
        " where portfolio_id = %s",
        name,
    )
    return {row[0]: row[1:] for row in found}


def last(url: str, columns: str, kind: str = "auto", name: str = "p") -> tuple[object, ...]:
    query = f"select {columns} from marts.portfolio_snapshots where portfolio_id = %s and snapshot_type = %s"
    return rows(url, query + " order by snapshot_timestamp desc limit 1", name, kind)[0]


def test_what_chains_say_is_published_once_and_a_dead_chain_keeps_its_last_good_balance(
    database_url: str, tmp_path: Path, live_chains: dict[str, EvmNode]
) -> None:
    ethereum, base = live_chains["ethereum"], live_chains["base"]
    ethereum.set_code(USDC, token(decimals=6, symbol="USDC"))
    ethereum.set_code(JUNK, token(decimals=18, symbol="CLAIM", name="visit free.xyz"))
    ethereum.set_balance(WALLET, 15 * 10**17)
    base.set_balance(WALLET, 2 * 10**18)
    for receipt in (SUPPLIED, OWED):
        ethereum.set_code(receipt, token(decimals=6))
    ethereum.set_token_balances(
        {(USDC, WALLET): 12_345_678, (JUNK, WALLET): 10**30, (SUPPLIED, WALLET): 50 * 10**6, (OWED, WALLET): 20 * 10**6}
    )
    ethereum.mine(2)
    base.mine(3)
    folder = inputs(tmp_path / "inputs")

    first = run(folder, database_url, tmp_path / "home", as_of=None)

    assert (first.exit_code, first.summary["status"]) == (0, "published"), first.messages
    assert first.summary["failed_checks"] == []
    block = {node.chain_id: node.rpc("eth_getBlockByNumber", "latest", False) for node in (ethereum, base)}
    at = {chain_id: (int(found["number"], 16), found["hash"]) for chain_id, found in block.items()}
    held = assets(database_url)
    assert held[ETHER] == (1.5, 3000, "ok", *at[1])
    assert held[BASE_ETHER] == (2, 4000, "ok", *at[8453])
    # what stands behind a receipt is its price; what is owed is negative
    assert held[f"eip155:1/erc20:{SUPPLIED}"] == (50, 50, "ok", *at[1])
    assert held[f"eip155:1/erc20:{OWED}"] == (-20, -20, "ok", *at[1])
    assert rows(
        database_url, "select asset_type, protocol_name, category, price_source from marts.portfolio_assets"
        " where portfolio_id = 'p' and asset_address = %s", OWED
    ) == [("borrowed", "aave-v3", "lending", "components")]  # fmt: skip
    value = one(database_url, "select sum(value_usd) from marts.portfolio_assets where portfolio_id = 'p'")
    assert last(database_url, "total_value_usd, is_complete") == (value, True)
    # a token that only the chain shows is there, without a value, and no coverage is lost by it
    assert held[f"eip155:1/erc20:{JUNK}"][:3] == (10**12, None, "ok")
    assert one(database_url, "select trust from marts.instruments where address = %s", JUNK) == "spam"
    assert rows(database_url, "select symbol, decimals, trust from marts.instruments where address = %s", USDC) == [
        ("USDC", 6, "trusted")
    ]
    assert assets(database_url, "q")[ETHER] == held[ETHER]
    assert one(database_url, "select count(*) from raw.chain_reads") == 2
    assert last(database_url, "chain_coverage_ratio, total_chains_count") == (1, 2)
    assert rows(database_url, "select source, status from marts.source_freshness where source like 'chain:%%' order by 1") == [
        ("chain:base", "ok"), ("chain:ethereum", "ok"),
    ]  # fmt: skip
    balances = one(database_url, "select count(*) from raw.wallet_balances")

    # the same balances at a newer block: no row of them, and nothing to publish within the hour
    ethereum.mine(1)
    second = run(folder, database_url, tmp_path / "home", as_of=None)

    assert second.summary["status"] in {"unchanged", "published"}, second.messages  # published: a new hour began
    assert one(database_url, "select count(*) from raw.wallet_balances") == balances
    assert one(database_url, "select count(*) from raw.chain_reads") == 4

    base.process.kill()
    base.process.wait()
    ethereum.set_balance(WALLET, 10**18)
    ethereum.mine(1)
    published = marts(database_url)
    kill_at("raw.wallet_balances", folder, database_url, tmp_path / "home", as_of=None)
    # the reads of the killed run are gone with it, and nobody saw anything of it
    assert one(database_url, "select count(*) from raw.chain_reads") == 4
    assert marts(database_url) == published
    with connect(database_url) as conn:
        assert request_snapshots(conn, ["p"]) == []
        assert request_snapshots(conn, ["nobody"]) == ["nobody"]
    third = run(folder, database_url, tmp_path / "home", as_of=None)

    assert (third.exit_code, third.summary["status"]) == (0, "published"), third.messages
    assert third.summary["held_portfolios"] == []
    held = assets(database_url)
    assert held[ETHER][:3] == (1, 2000, "ok")
    assert held[BASE_ETHER] == (2, 4000, "stale", *at[8453])
    coverage, is_complete, ratio = last(database_url, "chain_coverage_ratio, is_complete, coverage_ratio")
    assert (coverage, is_complete) == (0.5, False)
    assert ratio == pytest.approx(4 / 5)  # two coins, a token, two receipts: one coin is stale
    assert last(database_url, "chain_coverage_ratio", "manual") == (0.5,)
    assert rows(database_url, "select portfolio_id from marts.portfolio_snapshots where snapshot_type = 'manual'") == [
        ("p",)
    ]
    assert one(database_url, "select count(*) from registry.snapshot_requests where published_at is null") == 0
    assert last(database_url, "chain_coverage_ratio, is_complete", name="q") == (1, True)
    assert one(database_url, "select status from marts.source_freshness where source = 'chain:base'") == "failed"
    assert rows(
        database_url, "select check_name from marts.data_quality where not passed and check_name like 'chain%%'"
    ) == [("chains_unread",)]
    assert rows(database_url, "select portfolio_id from marts.portfolio_daily where abs(residual_base) > 1e-9") == []
