"""Wallets as assets: every chain is asked for all wallets at once, and what differs is landed."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import dagster as dg

from assets import keys
from assets.publication import runs
from assets.wallets.known_state import has_wallets, read_known
from assets.wallets.model import ChainReport
from assets.wallets.planning import plan
from assets.wallets.store import Landed, land

_DESCRIPTIONS = {
    "chain_reads": "What each chain said in each run: block, endpoint, tries, cells by status.",
    "wallet_balances": "Balances of wallets, a row where amount or status changed.",
    "wallet_positions": "What the receipts that wallets hold stand for, a set where it changed.",
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
    landed = Landed(0, 0, 0, 0)
    with warehouse.connect() as conn:
        is_asked = chains.is_allowed and runs.window_of(conn, run_id).is_present(datetime.now(UTC))
        is_asked = is_asked and has_wallets(conn)
        asked = plan(read_known(conn)) if is_asked else None
    if asked is not None:
        reports = chains.read(asked.requests, asked.declared)
        with warehouse.connect() as conn:
            window = runs.move_to(conn, run_id, datetime.now(UTC))
            landed = land(conn, run_id, window.cutoff_at, asked, reports)
        progress.say("chains", str(landed))
    rows = {
        "chain_reads": landed.chains,
        "wallet_balances": landed.balances,
        "wallet_positions": landed.positions,
    }
    for table in keys.WALLET_TABLES:
        report = {"chains": _table(reports)} if table == "chain_reads" and reports else {}
        yield dg.MaterializeResult(asset_key=keys.raw(table), metadata={"new_rows": rows[table], **report})


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
