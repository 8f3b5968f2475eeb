"""The gates as Dagster asset checks: each stage asks its gates, writes the answers down and blocks what follows."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

import dagster as dg

from assets import keys
from quality.gate import Gate, evaluate
from quality.gates import gates_of, stages
from quality.raw_suites import SUITES, check_raw_batches
from quality.results import CheckResult, record

#: The asset that each stage's gates stand behind.
STAGE_ASSETS: dict[str, dg.AssetKey] = {
    "landing": keys.raw("prices"),
    "wallets": keys.dbt_model("intermediate", "int_wallet_cells"),
    "market": keys.dbt_model("intermediate", "int_price_points"),
    "ledger": keys.ledger("issues"),
    "holdings": keys.dbt_model("build", "portfolio_daily"),
    "analytics": keys.dbt_model("build", "portfolio_allocation"),
}
#: Assets that a stage's queries read besides its own: they must exist first.
_STAGE_DEPS: dict[str, tuple[dg.AssetKey, ...]] = {
    "landing": (keys.ACCOUNTS,),
    "ledger": (keys.ledger("positions"),),
    "holdings": (keys.dbt_model("build", "portfolio_assets"), keys.dbt_model("build", "transactions")),
    "analytics": (
        keys.dbt_model("build", "target_weights"),
        keys.dbt_model("build", "optimization_runs"),
        keys.optimiser("optimization_checks"),
        keys.dbt_model("build", "portfolio_performance"),
        keys.dbt_model("build", "portfolio_contribution"),
        keys.dbt_model("build", "performance_attribution"),
        keys.dbt_model("build", "correlation_regimes"),
        keys.dbt_model("build", "portfolio_risk"),
        keys.dbt_model("build", "risk_contributions"),
        keys.dbt_model("build", "allocation_risk"),
    ),
}


def build_checks() -> list[dg.AssetChecksDefinition]:
    """All asset checks of the product."""
    return [_raw_checks(), *(_stage_checks(stage) for stage in stages()), _not_every_portfolio_held()]


def _raw_checks() -> dg.AssetChecksDefinition:
    @dg.multi_asset_check(
        name="check_raw_batches",
        specs=[
            dg.AssetCheckSpec(
                f"raw_{kind}_suite",
                asset=keys.raw(kind),
                blocking=True,
                description="Great Expectations.",
                additional_deps=[keys.ACCOUNTS],
            )
            for kind in SUITES
        ],
        required_resource_keys={"warehouse", "progress"},
    )
    def check(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        warehouse = context.resources.warehouse
        with warehouse.connect() as conn:
            results = check_raw_batches(conn, warehouse.url)
            record(conn, context.run.run_id, results)
        context.resources.progress.say("checks", f"{len(results)} expectations on raw batches")
        for kind in SUITES:
            own = [r for r in results if r.check_name.startswith(f"raw_{kind}_")]
            yield _to_dagster(keys.raw(kind), f"raw_{kind}_suite", own)

    return check


def _stage_checks(stage: str) -> dg.AssetChecksDefinition:
    gates, asset = gates_of(stage), STAGE_ASSETS[stage]

    @dg.multi_asset_check(
        name=f"check_{stage}",
        specs=[
            dg.AssetCheckSpec(
                gate.name,
                asset=asset,
                blocking=gate.severity == "error",
                description=f"{gate.description} Limit: {gate.threshold}.",
                additional_deps=list(_STAGE_DEPS.get(stage, ())),
            )
            for gate in gates
        ],
        required_resource_keys={"warehouse", "progress"},
    )
    def check(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        with context.resources.warehouse.connect() as conn:
            answers = {gate.name: evaluate(conn, gate) for gate in gates}
            record(conn, context.run.run_id, [r for results in answers.values() for r in results])
        for name, results in answers.items():
            yield _to_dagster(asset, name, results)

    return check


def _not_every_portfolio_held() -> dg.AssetChecksDefinition:
    name = "some_portfolio_may_publish"

    @dg.multi_asset_check(
        name="check_held_portfolios",
        specs=[dg.AssetCheckSpec(name, asset=keys.HELD_PORTFOLIOS, blocking=True)],
        required_resource_keys={"warehouse"},
    )
    def check(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        gate = Gate(
            name=name, stage="verdict", reach="run", severity="error", threshold="fewer held than computed",
            description="At least one portfolio that the run computed may be published.",
            next_step="Read the reasons of the held portfolios; correct their inputs, then run again.",
            offenders="""
                select null, null, held.portfolio_id || ': ' || held.reason from ops.held_portfolios as held
                where (select count(*) from ops.run_scope) <= (select count(*) from ops.held_portfolios)
                order by held.portfolio_id""",
        )  # fmt: skip
        with context.resources.warehouse.connect() as conn:
            results = evaluate(conn, gate)
            record(conn, context.run.run_id, results)
        yield _to_dagster(keys.HELD_PORTFOLIOS, name, results)

    return check


def _to_dagster(asset: dg.AssetKey, name: str, results: Sequence[CheckResult]) -> dg.AssetCheckResult:
    failed = [result for result in results if not result.passed]
    holds = any(result.holds_run for result in failed)
    by_partition: dict[str, list[str]] = defaultdict(list)
    for result in failed:
        by_partition[result.portfolio_id or result.instrument_id or result.check_name].extend(result.first_offenders)
    lines = [f"- **{partition}**: {'; '.join(offenders)}" for partition, offenders in list(by_partition.items())[:20]]
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=name,
        passed=not failed,
        severity=dg.AssetCheckSeverity.ERROR if holds else dg.AssetCheckSeverity.WARN,
        metadata={
            "failed_rows": sum(result.failed_rows for result in failed),
            "limit": results[0].threshold if results else "no row to check",
            "first_offenders": dg.MetadataValue.md("\n".join(lines) or "none"),
            "next_step": failed[0].next_step if failed else "nothing",
        },
    )
