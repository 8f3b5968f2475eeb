"""Wallets as assets: every chain is asked for all wallets at once, and what differs is landed."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from assets import keys
from assets.publication import runs
from assets.wallets.known_state import has_wallets, read_known
from assets.wallets.log_reader import LogReport
from assets.wallets.log_store import land_logs, log_requests
from assets.wallets.model import ChainReport
from assets.wallets.planning import plan
from assets.wallets.store import Landed, land
from assets.wallets.wallet_ledger import write_ledger

_DESCRIPTIONS = {
    "chain_reads": "What each chain said in each run: block, endpoint, tries, cells by status.",
    "wallet_balances": "Balances of wallets, a row where amount or status changed.",
    "wallet_positions": "What the receipts that wallets hold stand for, a set where it changed.",
    "wallet_transfers": "Transfers of tokens to and from wallets as logs tell them, and what ledgers get of them.",
}


@dg.multi_asset(
    name="wallets",
    specs=[
        dg.AssetSpec(
            keys.raw(table),
            deps=[keys.RUN, keys.ACCOUNTS, keys.registry("portfolio_wallets"), keys.registry("instruments")],
            group_name=keys.INPUTS,
            description=_DESCRIPTIONS[table],
            kinds={"python", "postgres"},
            owners=["team:holdfast"],
        )
        for table in keys.WALLET_TABLES
    ],
    required_resource_keys={"warehouse", "progress", "chains"},
)
def wallets(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
    """Ask the chains of all wallets.

    Asked are they where the run describes the present and live sources are allowed. A chain that does not answer costs
    its own cells alone.
    """
    warehouse, progress, chains = context.resources.warehouse, context.resources.progress, context.resources.chains
    run_id = context.run.run_id
    reports: Sequence[ChainReport] = ()
    logs: Sequence[LogReport] = ()
    landed, transfers = Landed(0, 0, 0, 0), 0
    with warehouse.connect() as conn:
        is_asked = chains.is_allowed and runs.window_of(conn, run_id).is_present(datetime.now(UTC))
        is_asked = is_asked and has_wallets(conn)
        asked = plan(read_known(conn)) if is_asked else None
    if asked is not None:
        reports = chains.read(asked.requests, asked.declared)
        with warehouse.connect() as conn:
            of_logs = log_requests(conn, reports)
        logs = chains.read_logs(of_logs)
        with warehouse.connect() as conn:
            window = runs.move_to(conn, run_id, datetime.now(UTC))
            landed = land(conn, run_id, window.cutoff_at, asked, reports)
            transfers = land_logs(conn, run_id, reports, logs)
        progress.say("chains", f"{landed}, {transfers:,} transfers")
    with warehouse.connect() as conn:
        # also where nothing is asked: other files of the owner's may end what the chain tells sooner or later
        counting = write_ledger(conn, run_id)
    rows = {
        "chain_reads": landed.chains,
        "wallet_balances": landed.balances,
        "wallet_positions": landed.positions,
        "wallet_transfers": transfers,
    }
    reported: dict[str, dict[str, dg.MetadataValue[Any] | int]] = {"wallet_transfers": {"ledger_rows": counting}}
    if reports:
        reported["chain_reads"] = {"chains": _table(reports)}
    if logs:
        reported["wallet_transfers"]["logs"] = dg.MetadataValue.table(
            [dg.TableRecord(_log_record(one)) for one in logs]
        )
    for table in keys.WALLET_TABLES:
        metadata = {"new_rows": rows[table], **reported.get(table, {})}
        yield dg.MaterializeResult(asset_key=keys.raw(table), metadata=metadata)


def _log_record(log: LogReport) -> dict[str, str | int | float | bool]:
    """One chain's logs in the metadata."""
    return {
        "chain": log.request.chain,
        "block": log.request.block.number,
        "read_until": min((part.until for part in log.ranges), default=log.request.block.number),
        "transfers": sum(len(part.transfers) for part in log.ranges),
        "blocks_gone": len(log.gone),
        "problem": (log.failure or "")[:300],
    }


def _table(reports: Sequence[ChainReport]) -> dg.TableMetadataValue:
    return dg.MetadataValue.table([dg.TableRecord(_record(report)) for report in reports])


def _record(report: ChainReport) -> dict[str, str | int | float | bool]:
    """One chain in the metadata: labels of servers, never addresses."""
    read = sum(cell.amount is not None for cell in report.cells)
    failures = [one for one in (report.failure, *report.problems) if one]
    return {
        "chain": report.chain,
        "endpoint": report.endpoint or "",
        "tries": len(report.tries),
        "failed_tries": sum(one.failure is not None for one in report.tries),
        "milliseconds": round(1000 * report.seconds),
        "block": report.block.number if report.block else 0,
        "cells": len(report.cells),
        "coverage": round(read / len(report.cells), 4) if report.cells else 1.0,
        "is_reorganised": report.is_reorganised,
        "problem": "; ".join(failures)[:300],
    }
