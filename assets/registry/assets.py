"""Inputs as assets: one operation reads the whole folder and lands it in one transaction, or refuses all of it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from assets import keys
from assets.publication import runs
from assets.registry.landing import LandingResult, land, read_inputs
from assets.registry.problems import InputProblems
from assets.wallets.store import write_known_instruments
from assets.warehouse.database import Connection, copy_rows

_DESCRIPTIONS = {
    "users": "Owners of portfolios.",
    "portfolios": "Portfolios and their settings, from portfolios.yaml or written by an application.",
    "accounts": "Accounts of the portfolios.",
    "portfolio_wallets": "Wallet addresses by portfolio and chain.",
    "targets": "Fixed target weights.",
    "policies": "How target weights are computed.",
    "limits": "The owner's thresholds for rules of allocation_risk.",
    "scenarios": "The owner's stress scenarios, from scenarios.yaml.",
    "risk_scores": "How risky the owner takes chains and protocols to be, from risk_scores.yaml.",
    "instruments": "Custom instruments and mappings, from instruments.csv.",
    "price_settings": "The order of price sources and the resolution of stored history, from portfolios.yaml.",
    "transactions": "Ledger rows as received.",
    "prices": "Price observations as received.",
    "balances": "Dated balances as received.",
    "corporate_actions": "Splits and dividends as received.",
}


class RunWindow(dg.Config):
    """What a run reads and which moment it describes."""

    inputs: str | None = None
    as_of: str | None = None


def _spec(key: dg.AssetKey, description: str, kind: str) -> dg.AssetSpec:
    return dg.AssetSpec(
        key, group_name=keys.INPUTS, description=description, kinds={kind, "postgres"},
        owners=["team:holdfast"],
    )  # fmt: skip


@dg.multi_asset(
    name="land_inputs",
    specs=[
        _spec(keys.RUN, "The run's window and the batches that it received.", "python"),
        *(_spec(keys.registry(table), _DESCRIPTIONS[table], "yaml") for table in keys.REGISTRY_TABLES),
        *(_spec(keys.raw(table), _DESCRIPTIONS[table], "csv") for table in keys.RAW_TABLES),
    ],
    required_resource_keys={"warehouse", "progress"},
)
def land_inputs(context: dg.AssetExecutionContext, config: RunWindow) -> Iterator[dg.MaterializeResult[None]]:
    """Read the inputs folder strictly and land it."""
    warehouse, progress = context.resources.warehouse, context.resources.progress
    now = datetime.now(UTC)
    try:
        window = runs.read_window(config.as_of, now)
    except runs.AsOfError as error:
        raise dg.Failure(str(error), metadata={"kind": "rejected"}, allow_retries=False) from error
    folder = config.inputs or warehouse.default_inputs
    landed: LandingResult | None = None
    with warehouse.connect() as conn:
        if folder:
            progress.say("inputs", f"reading {Path(folder).name}")
            landed = _land(conn, folder, now, context.run.run_id)
        runs.start(conn, context.run.run_id, folder, window)
        write_known_instruments(conn)
        fingerprint = runs.fingerprint(conn, landed.fingerprint if landed else "registry", window)
        conn.execute("update ops.runs set inputs_fingerprint = %s where run_id = %s", [fingerprint, context.run.run_id])
        registered = _row_counts(conn)
    progress.say("inputs", _describe(landed))
    yield dg.MaterializeResult(asset_key=keys.RUN, metadata={"as_of": str(window.as_of), "inputs": str(folder)})
    for table in keys.REGISTRY_TABLES:
        yield dg.MaterializeResult(asset_key=keys.registry(table), metadata={"dagster/row_count": registered[table]})
    for table in keys.RAW_TABLES:
        yield dg.MaterializeResult(asset_key=keys.raw(table), metadata=_metadata(landed, table))


@dg.multi_asset(
    name="observed",
    specs=[
        dg.AssetSpec(
            keys.OBSERVED,
            deps=[
                keys.RUN,
                keys.ACCOUNTS,
                *(keys.raw(table) for table in keys.WALLET_TABLES),
                *(keys.market(schema, table) for schema, table in keys.MARKET_TABLES),
            ],
            group_name=keys.MARKET,  # behind the sources' prices, so that no group of the graph runs backwards
            description="All that this run knows, from files and live sources, and whether any of it is new.",
            kinds={"python", "postgres"},
            skippable=True,
            owners=["team:holdfast"],
        )
    ],
    required_resource_keys={"warehouse", "progress"},
)
def observed(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
    """End the run when exactly this is published already: then nothing is yielded, and nothing below it runs."""
    warehouse, progress, run_id = context.resources.warehouse, context.resources.progress, context.run.run_id
    with warehouse.connect() as conn:
        fingerprint = runs.with_live(conn, run_id)
    with warehouse.connect() as conn:
        if runs.is_published(conn, fingerprint):
            runs.finish(conn, run_id, "unchanged", {})
            conn.commit()
            progress.say("inputs", "the same inputs and as-of are already published")
            return
    yield dg.MaterializeResult(asset_key=keys.OBSERVED, metadata={"fingerprint": fingerprint[:12]})


def _land(conn: Connection, folder: str, now: datetime, run_id: str) -> LandingResult:
    try:
        landed = land(conn, read_inputs(Path(folder), now), run_id)
    except InputProblems as error:
        raise dg.Failure(
            f"{len(error.problems)} problems in the inputs; nothing was written",
            metadata={"kind": "rejected", "problems": dg.MetadataValue.md("\n".join(f"- {p}" for p in error.problems))},
            allow_retries=False,
        ) from error
    conn.execute("delete from ops.rejected_inputs")
    copy_rows(
        conn, "ops.rejected_inputs", ("path", "kind", "reason"), [(r.path, r.kind, r.reason) for r in landed.rejected]
    )
    return landed


def _row_counts(conn: Connection) -> dict[str, int]:
    """Rows of each table of the registry, whoever wrote them."""
    counts = " union all ".join(f"select '{table}', count(*) from registry.{table}" for table in keys.REGISTRY_TABLES)
    return dict(conn.execute(counts).fetchall())


def _describe(landed: LandingResult | None) -> str:
    if landed is None:
        return "no inputs folder: the registry is the application's"
    new = sum(counts.rows for counts in landed.counts.values())
    files = sum(counts.files for counts in landed.counts.values())
    quarantined = sum(counts.quarantined for counts in landed.counts.values())
    return f"{files} files, {new:,} new rows" + (f", {quarantined} rows in quarantine" if quarantined else "")


def _metadata(landed: LandingResult | None, table: str) -> dict[str, int]:
    counts = landed.counts.get(table) if landed else None  # type: ignore[call-overload]
    if counts is None:
        return {}
    return {"files": counts.files, "new_rows": counts.rows, "quarantined_rows": counts.quarantined}
