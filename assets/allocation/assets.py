"""Optimisation as assets: computed target weights, their frontier, and the trades that lead there."""

from collections.abc import Iterator

import dagster as dg

from assets import keys
from assets.allocation.store import run_optimisation

_DESCRIPTIONS = {
    "optimization_runs": "One row per optimisation: what was asked, what came out, how it was proven.",
    "target_weights": "Target weights with the bounds that they had to keep.",
    "efficient_frontier": "Points of the efficient frontier under the policy's constraints.",
    "rebalancing_suggestions": "Trades towards the targets where the drift leaves the band.",
}


@dg.multi_asset(
    name="optimisation",
    specs=[
        dg.AssetSpec(
            keys.optimiser(table),
            deps=[
                keys.dbt_model("build", "portfolio_assets"),
                keys.dbt_model("build", "portfolio_daily"),
                keys.dbt_model("intermediate", "int_price_daily"),
                keys.dbt_model("intermediate", "int_fx_daily"),
                keys.dbt_model("intermediate", "int_splits"),
                keys.registry("policies"),
                keys.registry("targets"),
            ],
            group_name=keys.ALLOCATION,
            description=_DESCRIPTIONS[table],
            kinds={"python", "postgres"},
            owners=["team:holdfast"],
        )
        for table in keys.OPTIMISER_TABLES
    ],
    required_resource_keys={"warehouse", "progress"},
)
def optimisation(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
    """PyPortfolioOpt on each policy's universe; each result is proven before it counts."""
    warehouse = context.resources.warehouse
    with warehouse.connect() as conn:
        summary = run_optimisation(conn, warehouse.as_of_date(conn), context.run.run_id)
    context.resources.progress.say("optimisation", str(summary))
    for table in keys.OPTIMISER_TABLES:
        yield dg.MaterializeResult(
            asset_key=keys.optimiser(table), metadata={"dagster/row_count": summary.rows.get(table, 0)}
        )
