"""Logs in the database against a real node, without a run: where reading goes on, what is undone, whose word counts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from assets.network.endpoints import endpoints_of
from assets.registry import landing
from assets.wallets import engine
from assets.wallets.known_state import read_known
from assets.wallets.log_reader import LogReport, read_logs
from assets.wallets.log_store import land_logs, log_requests
from assets.wallets.model import Block, ChainReport
from assets.wallets.planning import plan
from assets.wallets.store import land, write_known_instruments
from assets.wallets.wallet_ledger import write_ledger
from assets.warehouse.database import Connection, connect
from tests.evm_nodes import EvmNode
from tests.fault_proxy import FaultProxy
from tests.integration.test_wallet_ledger import ALICE, BOB, FOUND, JUNK, STRANGER, USDC, inputs, node, send

__all__ = ["node"]


class Reading:
    """What the asset of wallets does, one read after the other."""

    def __init__(self, conn: Connection, url: str, folder: Path) -> None:
        self.conn, self.url, self.folder = conn, url, folder

    def read(self, url: str | None = None, *more: str) -> LogReport | None:
        """Land the files, read balances and logs, and give what the logs said; None: nothing was asked."""
        now = datetime.now(UTC)
        inputs(self.folder, more)
        landing.land(self.conn, landing.read_inputs(self.folder, now), "run")
        write_known_instruments(self.conn)
        asked, endpoints = plan(read_known(self.conn)), {"ethereum": endpoints_of([url or self.url])}
        reports = engine.read(asked.requests, endpoints)
        logs = read_logs(log_requests(self.conn, reports), endpoints, chain_seconds=2.0)
        land(self.conn, "run", now + timedelta(minutes=1), asked, reports)
        land_logs(self.conn, "run", reports, logs)
        write_ledger(self.conn, "run")
        return logs[0] if logs else None

    def rows(self) -> list[tuple[str, str, Any]]:
        """Transactions that count because of logs, gas left out; blocks of one second have no order in time."""
        return self.conn.execute(
            "select account_id, type, trim_scale(quantity) from raw.transactions as rows"
            " inner join ops.input_files as files using (batch_id) inner join raw.batches using (batch_id)"
            " where source = 'chains' and type <> 'FEE' order by quantity, account_id"
        ).fetchall()

    def until(self) -> set[tuple[int, str | None]]:
        return set(self.conn.execute("select read_until, failure from ops.wallet_logs").fetchall())


@pytest.fixture
def reading(database_url: str, tmp_path: Path, node: EvmNode) -> Iterator[Reading]:
    with connect(database_url) as conn:
        yield Reading(conn, node.url, tmp_path / "inputs")


def head(node: EvmNode) -> int:
    return int(node.rpc("eth_blockNumber"), 16)


def test_a_reorganisation_undoes_rows_and_the_new_blocks_are_read(reading: Reading, node: EvmNode) -> None:
    assert reading.read() is None  # logs begin at the block of the first balances
    send(node, USDC, STRANGER, ALICE, 1_000_000)
    reading.read()
    snapshot = node.rpc("evm_snapshot")
    send(node, USDC, STRANGER, ALICE, 2_000_000)
    node.mine(3)
    reading.read()
    assert reading.rows() == [("nano", "DEPOSIT", 1), ("nano", "DEPOSIT", 2)]
    batches = reading.conn.execute("select count(*) from raw.batches").fetchone()
    again = reading.read()
    # nothing is new, and nothing is written
    assert again is not None
    assert not any(part.transfers for part in again.ranges)
    assert reading.conn.execute("select count(*) from raw.batches").fetchone() == batches

    node.rpc("evm_revert", snapshot)
    node.rpc("evm_increaseTime", 10)
    send(node, USDC, STRANGER, BOB, 4_000_000)
    send(node, USDC, STRANGER, ALICE, 8_000_000)
    node.mine(5)
    told = reading.read()
    assert told is not None
    assert told.gone
    assert reading.rows() == [("nano", "DEPOSIT", 1), ("vault", "DEPOSIT", 4), ("nano", "DEPOSIT", 8)]
    gone = reading.conn.execute("select raw_amount from raw.wallet_transfers where is_gone").fetchall()
    assert gone == [(2_000_000,)]
    assert reading.until() == {(head(node), None)}


def test_the_owners_word_counts_up_to_its_last_row(reading: Reading, node: EvmNode) -> None:
    reading.read()
    send(node, USDC, STRANGER, ALICE, 3_000_000)
    send(node, FOUND, STRANGER, ALICE, 10**18)
    reading.read()
    # the other token is a place of its own: logs have told of it from its first unit on
    assert reading.rows() == [("nano", "DEPOSIT", 1), ("nano", "DEPOSIT", 3)]
    now = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    own = f"p,nano,{now},DEPOSIT,eip155:1/erc20:{USDC},3,,,,,,,,"
    reading.read(None, own)
    assert reading.rows() == [("nano", "DEPOSIT", 1)]
    reading.read()
    assert reading.rows() == [("nano", "DEPOSIT", 1), ("nano", "DEPOSIT", 3)]


def test_a_server_without_logs_costs_the_logs_alone(reading: Reading, node: EvmNode) -> None:
    reading.read()
    began = head(node)
    send(node, JUNK, STRANGER, ALICE, 5)
    with FaultProxy() as proxy:
        route = proxy.route(node.url)

        def refuse_logs(number: int, calls: Any) -> None:
            route.fault = "500" if any(call["method"] == "eth_getLogs" for call in calls) else None

        route.before = refuse_logs
        told = reading.read(route.url)
    assert told is not None
    assert told.failure is not None
    assert reading.until() == {(began, told.failure)}
    failures = reading.conn.execute("select failure from raw.chain_reads").fetchall()
    assert failures == [(None,), (None,)]
    # a token that no list has is found by the logs, and asked for from the next read on
    reading.read()
    assert reading.until() == {(head(node), None)}
    held = "select raw_amount from ops.wallet_cells where instrument_id = %s"
    assert reading.conn.execute(held, [f"eip155:1/erc20:{JUNK}"]).fetchall() == []
    reading.read()
    assert reading.conn.execute(held, [f"eip155:1/erc20:{JUNK}"]).fetchall() == [(5,)]
    assert reading.conn.execute("select count(*) from ops.wallet_unread").fetchone() == (0,)
    assert reading.rows() == []  # nobody trusts it


def test_only_blocks_at_the_ends_of_logs_are_looked_at_again(database_url: str) -> None:
    """A wallet that came back after a year has none of the blocks of that year looked at once more."""
    now = datetime.now(UTC)
    with connect(database_url) as conn:
        conn.execute("insert into registry.users values ('u')")
        conn.execute("insert into registry.portfolios (id, user_id, name, base_currency) values ('p', 'u', 'p', 'USD')")
        for wallet, until in ((ALICE, 1_000), (BOB, 100_000)):
            conn.execute(
                "insert into registry.portfolio_wallets (user_id, portfolio_id, account_id, wallet_address, chain_id)"
                " values ('u', 'p', %s, %s, 'ethereum')", [wallet, wallet],
            )  # fmt: skip
            conn.execute(
                "insert into ops.wallet_logs (chain, wallet, first_block, read_until, block_hash)"
                " values ('ethereum', %s, 1, %s, %s)", [wallet, until, f"0x{until}"],
            )  # fmt: skip
        for block in (700, 900, 50_000, 99_900, 100_010):
            conn.execute(
                "insert into raw.wallet_fees (chain, block_number, block_hash, transaction_hash, executed_at, reason,"
                " range_first, range_last, run_id) values ('ethereum', %s, %s, '0x', %s, 'untold', 1, 2, 'r')",
                [block, f"0x{block}", now],
            )
        report = ChainReport("ethereum", Block(100_020, "0x", now), None, (), now, 0.0, (), ())
        [request] = log_requests(conn, [report])
    assert [number for number, _ in request.kept] == [900, 1_000, 99_900, 100_000, 100_010]
