"""The end of a run as assets: the verdict of the gates, and the one transaction that readers see."""

from collections.abc import Iterator

import dagster as dg

from assets import keys
from assets.publication import runs
from assets.publication.publish import publish

#: What must be built, and its gates passed, before the verdict: the ends of the branches.
_VERDICT_DEPS = (
    keys.ledger("issues"),
    keys.dbt_model("build", "portfolio_allocation"),
    keys.dbt_model("build", "allocation_risk"),
    keys.dbt_model("build", "rebalancing_suggestions"),
    keys.dbt_model("build", "optimization_runs"),
    keys.dbt_model("build", "portfolio_performance"),
    keys.dbt_model("build", "portfolio_comparison"),
    keys.dbt_model("build", "asset_correlations"),
    keys.dbt_model("build", "correlation_regimes"),
    keys.dbt_model("build", "factor_exposures"),
    keys.dbt_model("build", "policy_backtests"),
    keys.dbt_model("build", "policy_backtest_days"),
)


@dg.multi_asset(
    name="verdict",
    specs=[
        dg.AssetSpec(
            key,
            deps=[*_VERDICT_DEPS],
            group_name=keys.QUALITY,
            description=description,
            kinds={"postgres"},
            owners=["team:holdfast"],
        )
        for key, description in (
            (keys.CHECK_RESULTS, "What every check of the run said."),
            (keys.HELD_PORTFOLIOS, "Portfolios that keep their last published rows, and why."),
        )
    ],
    required_resource_keys={"warehouse", "progress"},
)
def verdict(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
    """Count what the gates said; nothing is computed here."""
    with context.resources.warehouse.connect() as conn:
        passed, warned = conn.execute(
            "select count(*) filter (where passed), count(*) filter (where not passed and severity <> 'info')"
            " from quality.check_results where run_id = %s",
            [context.run.run_id],
        ).fetchone()
        held = conn.execute("select portfolio_id, reason from ops.held_portfolios order by 1").fetchall()
    context.resources.progress.say("checks", f"{passed} passed, {warned} warned, {len(held)} portfolios held")
    yield dg.MaterializeResult(asset_key=keys.CHECK_RESULTS, metadata={"passed": passed, "not_passed": warned})
    yield dg.MaterializeResult(
        asset_key=keys.HELD_PORTFOLIOS,
        metadata={
            "held": len(held),
            "reasons": dg.MetadataValue.md("\n".join(f"- `{p}` {r}" for p, r in held) or "none"),
        },
    )


def build_publication(mart_keys: list[dg.AssetKey]) -> dg.AssetsDefinition:
    """The publication asset, downstream of every mart of the dbt project."""

    @dg.asset(
        key=keys.PUBLISHED,
        group_name=keys.PUBLICATION,
        deps=mart_keys,
        required_resource_keys={"warehouse", "progress"},
        kinds={"postgres"},
        owners=["team:holdfast"],
    )
    def publication(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
        """All marts of the run become visible in one transaction, or none does."""
        warehouse = context.resources.warehouse
        with warehouse.connect() as conn, warehouse.connect() as finder:
            fingerprint = conn.execute(
                "select inputs_fingerprint from ops.runs where run_id = %s", [context.run.run_id]
            ).fetchone()[0]
            warehouse.assert_still_alone()
            done = publish(conn, finder, context.run.run_id, warehouse.mart_specs(), fingerprint)
            runs.fulfil_requests(conn, context.run.run_id)
            status = "unchanged" if done.publication_id is None else "published"
            runs.finish(conn, context.run.run_id, status, {"changed_rows": done.changed_rows, **done.changed_by_table})
        said = (
            f"number {done.publication_id}, {done.changed_rows:,} changed rows" if done.publication_id else "unchanged"
        )
        context.resources.progress.say("publication", said)
        return dg.MaterializeResult(metadata=_metadata(context, done.publication_id, done.changed_rows))

    return publication


def _metadata(
    context: dg.AssetExecutionContext, publication_id: int | None, changed_rows: int
) -> dict[str, float | int]:
    with context.resources.warehouse.connect() as conn:
        value, drawdown, stale = conn.execute(
            """
            select
                (select coalesce(sum(value_usd), 0) from marts.portfolio_assets),
                (select coalesce(min(max_drawdown), 0) from marts.portfolio_performance where period_type = 'all'),
                (select count(*) from marts.portfolio_assets where price_status = 'stale')
            """
        ).fetchone()
    return {
        "publication_id": publication_id or 0,
        "changed_rows": changed_rows,
        "net_value_usd": float(value),
        "deepest_drawdown": float(drawdown),
        "stale_prices": int(stale),
    }
