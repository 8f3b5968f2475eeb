"""Logs through whole runs against a real node: rows where a ledger goes on, none where balances alone count."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from assets.wallets import codec
from tests.evm_contracts import MOVES, TRANSFER, token
from tests.evm_nodes import EvmNode, EvmNodes
from tests.pipeline_runs import portfolio, rows, run, write_inputs

ALICE, BOB, SAVER, STRANGER = (f"0x{digit * 40}" for digit in "1234")
USDC = "0xA0b86991c6218b36c1d19D4a2e9Eb0cE3606eB48"
FOUND = "0x0000000000085d4780B73119b644AE5ecd22b376"
JUNK = "0x" + "99" * 20
ETHER, USD = "eip155:1/slip44:60", f"eip155:1/erc20:{USDC}"
YESTERDAY = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()


@pytest.fixture
def node(monkeypatch: pytest.MonkeyPatch) -> Iterator[EvmNode]:
    with EvmNodes() as nodes:
        node = nodes.start(1, "--auto-impersonate")
        for name, value in (("SOURCES", "chains"), ("RPC_PUBLIC", "0"), ("RPC_ETHEREUM", node.url)):
            monkeypatch.setenv(f"HOLDFAST_{name}", value)
        node.set_code(USDC, token(decimals=6, symbol="USDC", more={TRANSFER: MOVES}))
        for other in (FOUND, JUNK):
            node.set_code(other, token(more={TRANSFER: MOVES}))
        node.set_token_balances(
            {(USDC, ALICE): 100 * 10**6, (USDC, SAVER): 40 * 10**6, (USDC, STRANGER): 10**9, (JUNK, STRANGER): 10**20,
             (FOUND, STRANGER): 10**20}
        )  # fmt: skip
        for wallet in (ALICE, SAVER, STRANGER):
            node.set_balance(wallet, 10**18)
        node.set_balance(BOB, 1)
        node.mine()
        yield node


def inputs(folder: Path, more: tuple[str, ...] = ()) -> Path:
    def wallet(name: str, address: str) -> dict[str, Any]:
        return {"id": name, "kind": "wallet", "address": address, "chains": ["ethereum"]}

    own = [wallet("nano", ALICE), wallet("vault", BOB), wallet("savings", SAVER)]
    opening = [
        f"p,nano,{YESTERDAY}T08:00:00Z,OPENING,{USD},100,0.9,,USD,,,,,",
        f"p,nano,{YESTERDAY}T08:00:00Z,OPENING,{ETHER},1,1000,,USD,,,,,",
        f"p,vault,{YESTERDAY}T08:00:00Z,OPENING,{ETHER},0.000000000000000001,1000,,USD,,,,,",
    ]
    prices = [f"{USD},{YESTERDAY},1,USD", f"{ETHER},{YESTERDAY},2000,USD", f"eip155:1/erc20:{FOUND},{YESTERDAY},3,USD"]
    instruments = [f"{USD},USD Coin,,", f"eip155:1/erc20:{FOUND},Found,,"]
    return write_inputs(folder, [portfolio("p", accounts=own, cash="implicit")], [*opening, *more], prices, instruments)


def send(node: EvmNode, asset: str, sender: str, recipient: str, amount: int) -> int:
    """A transfer in a block of its own; what it cost the sender."""
    data = TRANSFER + codec.encode_address(recipient) + codec.encode_uint256(amount)
    asked = {"from": sender, "to": asset, "data": "0x" + data.hex(), "gas": hex(10**6)}
    digest, limit = node.rpc("eth_sendTransaction", asked), time.monotonic() + 10
    while (receipt := node.rpc("eth_getTransactionReceipt", digest)) is None and time.monotonic() < limit:
        time.sleep(0.005)
    assert receipt["status"] == "0x1"
    return int(receipt["gasUsed"], 16) * int(receipt["effectiveGasPrice"], 16)


def booked(url: str) -> list[tuple[Any, ...]]:
    return rows(
        url, "select account_id, type, instrument_id, quantity from marts.transactions"
        " where type not in ('OPENING', 'FEE') order by account_id, type"
    )  # fmt: skip


def test_a_ledger_goes_on_by_what_logs_tell(database_url: str, tmp_path: Path, node: EvmNode) -> None:
    folder, home = inputs(tmp_path / "inputs"), tmp_path / "home"
    first = run(folder, database_url, home, as_of=None)
    assert (first.exit_code, first.summary["status"]) == (0, "published"), first.messages
    assert booked(database_url) == []

    send(node, USDC, STRANGER, ALICE, 5 * 10**6)
    gas = send(node, USDC, ALICE, BOB, 30 * 10**6)
    gas += send(node, USDC, ALICE, SAVER, 2 * 10**6)
    send(node, FOUND, STRANGER, SAVER, 10**18)
    send(node, JUNK, STRANGER, ALICE, 10**18)
    second = run(folder, database_url, home, as_of=None)
    assert (second.exit_code, second.summary["status"]) == (0, "published"), second.messages
    # gas is two rows in ether; a transfer between two places that have a ledger carries its lots, one to where only
    # balances count is a withdrawal, whose other side that balance is
    assert booked(database_url) == [
        ("nano", "DEPOSIT", USD, 5),
        ("nano", "TRANSFER_OUT", USD, 30),
        ("nano", "WITHDRAWAL", USD, 2),
        ("vault", "TRANSFER_IN", USD, 30),
    ]
    fees = rows(database_url, "select account_id, instrument_id, quantity from marts.transactions where type = 'FEE'")
    assert {(account, name) for account, name, _ in fees} == {("nano", ETHER)}
    assert sum(quantity for *_, quantity in fees) == Decimal(gas).scaleb(-18)
    held = rows(
        database_url, "select account_id, asset_address, balance, cost_base from marts.portfolio_assets"
        " where balance <> 0 and asset_address <> %s order by 1, 2", JUNK
    )  # fmt: skip
    assert held == [
        ("nano", USDC, 73, Decimal("66.2")),  # 68 of the opening at 0.9, and 5 at 1
        ("savings", FOUND, 1, 3),
        ("savings", USDC, 42, 42),
        ("vault", USDC, 30, 27),
    ]
    compared = rows(
        database_url, "select account_id, instrument_id, status from marts.reconciliation"
        " where is_latest and account_id <> 'savings' and instrument_id in (%s, %s) order by 1, 2", USD, ETHER
    )  # fmt: skip
    assert {status for *_, status in compared} == {"matched"}
    assert len(compared) == 4
    assert rows(database_url, "select portfolio_id from marts.portfolio_daily where abs(residual_base) > 1e-9") == []
    assert rows(database_url, "select wallet from ops.wallet_unread where instrument_id like %s", f"%{JUNK}") == [
        (ALICE,)
    ]
