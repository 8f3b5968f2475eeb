"""Logs in the database: where the next read begins, and what a read left.

Belongs here: SQL of raw.wallet_transfers, raw.wallet_fees and ops.wallet_logs. Must not be here: asking (log_reader),
what a transfer is to a ledger (wallet_ledger).

The logs of a wallet are read from the block of its first balances on: what was before is for the owner's own
transactions to tell. Rows of a block that is gone stay, marked, and count no more.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from assets.registry.chains import chains
from assets.wallets.identity import instrument_id
from assets.wallets.log_reader import REORGANISATION_BLOCKS, LogRange, LogReport, LogRequest
from assets.wallets.model import Asset, Block, ChainReport
from assets.wallets.transfers import received
from assets.wallets.unread import note_received
from assets.warehouse.database import Connection, copy_rows

_TRANSFER_COLUMNS = (
    "chain", "block_number", "block_hash", "log_index", "transaction_hash", "executed_at", "instrument_id", "token_id",
    "raw_amount", "sender", "recipient", "range_first", "range_last", "run_id",
)  # fmt: skip
_FEE_COLUMNS = (
    "chain", "block_number", "block_hash", "transaction_hash", "executed_at", "wallet", "raw_amount", "reason",
    "range_first", "range_last", "run_id",
)  # fmt: skip
_WALLETS = """
select distinct wallets.wallet_address, logs.read_until, logs.block_hash
from registry.portfolio_wallets as wallets
inner join registry.portfolios on wallets.portfolio_id = portfolios.id and portfolios.is_active
left join ops.wallet_logs as logs on wallets.chain_id = logs.chain and wallets.wallet_address = logs.wallet
where wallets.is_active and wallets.chain_id = %s
order by 1
"""
# Before the end of each wallet's logs: one whose logs end long ago must not have all blocks since looked at again.
_KEPT = """
with ends as (
    select until - %(back)s as first, case when until < max(until) over () then until end as last
    from unnest(%(ends)s::bigint[]) as until
)
select rows.block_number, rows.block_hash
from ends
cross join lateral (
    select block_number, block_hash from raw.wallet_transfers where chain = %(chain)s and not is_gone
        and block_number >= ends.first and (block_number <= ends.last or ends.last is null)
    union
    select block_number, block_hash from raw.wallet_fees where chain = %(chain)s and not is_gone
        and block_number >= ends.first and (block_number <= ends.last or ends.last is null)
) as rows
"""
_STEPS = """
insert into ops.wallet_logs as logs (chain, wallet, first_block, read_until, block_hash, failure)
values (%s, %s, %s, %s, %s, %s)
on conflict (chain, wallet) do update
set read_until = excluded.read_until, block_hash = excluded.block_hash, failure = excluded.failure
"""


def log_requests(conn: Connection, reports: Sequence[ChainReport]) -> list[LogRequest]:
    """What to ask for logs, of the EVM chains that gave a block; of a wallet's first read there is nothing to ask."""
    requests = []
    for chain, block in _blocks(reports):
        known = [row for row in conn.execute(_WALLETS, [chain]) if row[1] is not None]
        if known:
            ends = {(until, digest) for _, until, digest in known if digest is not None}
            asked = {"chain": chain, "ends": sorted({until for _, until, _ in known}), "back": REORGANISATION_BLOCKS}
            kept = ends.union(conn.execute(_KEPT, asked).fetchall())
            requests.append(LogRequest(chain, block, {wallet: until for wallet, until, _ in known}, sorted(kept)))
    return requests


def land_logs(conn: Connection, run_id: str, reports: Sequence[ChainReport], logs: Sequence[LogReport]) -> int:
    """Write what logs told; tokens that wallets received are asked for in the next read.

    Args:
        conn: in a transaction of the caller's.
        run_id: the run.
        reports: of the balances; their blocks are where the logs of new wallets begin.
        logs: what was read for them.

    Returns:
        how many transfers are new.
    """
    for log in logs:
        for table in ("wallet_transfers", "wallet_fees"):
            conn.execute(
                f"update raw.{table} set is_gone = true where chain = %s and block_hash = any(%s)".encode(),
                [log.request.chain, [digest for _, digest in log.gone]],
            )
    new = _add(conn, "wallet_transfers", _TRANSFER_COLUMNS, "log_index", _transfer_rows(logs, run_id))
    _add(conn, "wallet_fees", _FEE_COLUMNS, "transaction_hash", _fee_rows(logs, run_id))
    steps = [step for log in logs for step in _steps(log)]
    for chain, block in _blocks(reports):
        begun = [wallet for wallet, until, _ in conn.execute(_WALLETS, [chain]) if until is None]
        steps += [(chain, wallet, block.number + 1, block.number, block.hash, None) for wallet in begun]
    with conn.cursor() as cursor:
        cursor.executemany(_STEPS, steps)
    for log in logs:
        told = received([one for part in log.ranges for one in part.transfers], log.request.read_until)
        pairs: list[tuple[str, Asset]] = [(wallet, asset) for wallet, assets in told.items() for asset in assets]
        note_received(conn, pairs, log.request.block.timestamp)
    return new


def _blocks(reports: Sequence[ChainReport]) -> Iterator[tuple[str, Block]]:
    for report in reports:
        if report.block is not None and report.failure is None and report.chain in chains():
            yield report.chain, report.block


def _add(conn: Connection, table: str, columns: Sequence[str], key: str, rows: Iterator[Sequence[Any]]) -> int:
    """Rows that are not known; one that was gone and is told again counts again."""
    conn.execute(f"create temporary table new_rows (like raw.{table} including defaults) on commit drop".encode())
    copied = copy_rows(conn, "pg_temp.new_rows", columns, rows)
    added = conn.execute(
        f"insert into raw.{table} as known select distinct on (chain, block_hash, {key}) * from new_rows"
        f" on conflict (chain, block_hash, {key}) do update"
        " set is_gone = false, range_first = excluded.range_first, range_last = excluded.range_last"
        " where known.is_gone".encode()
    ).rowcount
    conn.execute("drop table pg_temp.new_rows")
    if copied:
        conn.execute(f"analyze raw.{table}".encode())
    return added


def _transfer_rows(logs: Sequence[LogReport], run_id: str) -> Iterator[Sequence[Any]]:
    for log, part in _ranges(logs):
        for one in part.transfers:
            yield (
                log.request.chain, one.block_number, one.block_hash, one.log_index, one.transaction, one.executed_at,
                instrument_id(one.asset), one.token_id, one.amount, one.sender, one.recipient, part.first, part.until,
                run_id,
            )  # fmt: skip


def _fee_rows(logs: Sequence[LogReport], run_id: str) -> Iterator[Sequence[Any]]:
    for log, part in _ranges(logs):
        paid = {fee.transaction: fee for fee in part.fees.fees}
        for one in {one.transaction: one for one in part.transfers}.values():
            fee, reason = paid.get(one.transaction), part.fees.unknown.get(one.transaction)
            if fee is not None or reason is not None:
                yield (
                    log.request.chain, one.block_number, one.block_hash, one.transaction, one.executed_at,
                    fee and fee.wallet, fee and fee.amount, reason, part.first, part.until, run_id,
                )  # fmt: skip


def _ranges(logs: Sequence[LogReport]) -> Iterator[tuple[LogReport, LogRange]]:
    for log in logs:
        for part in log.ranges:
            yield log, part


def _steps(log: LogReport) -> Iterator[Sequence[Any]]:
    for part in log.ranges:
        digest = log.request.block.hash if part.until == log.request.block.number else None
        for wallet in part.wallets:
            yield log.request.chain, wallet, part.first, part.until, digest, part.failure
