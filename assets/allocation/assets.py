"""Optimisation as assets: computed target weights, their frontier, and the trades that lead there."""

import base64
from collections.abc import Iterator

import dagster as dg

from assets import keys
from assets.allocation.pictures import frontier_picture, weights_picture
from assets.allocation.store import run_optimisation
from assets.warehouse.database import Connection

_DESCRIPTIONS = {
    "optimization_runs": "One row per optimisation: what was asked, what came out, how it was proven.",
    "optimization_inputs": "What the optimisations were made from, one row a version.",
    "optimization_checks": "Answers of the compiled solver that PyPortfolioOpt was asked for again.",
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
                # costs and taxes of suggestions
                keys.dbt_model("intermediate", "int_instruments"),
                keys.market("raw", "bars"),
                keys.ledger("lots"),
                keys.registry("portfolios"),
                keys.registry("accounts"),
                keys.registry("instruments"),
            ],
            group_name=keys.ALLOCATION,
            description=_DESCRIPTIONS[table],
            kinds={"python", "postgres"},
            owners=["team:holdfast"],
        )
        for table in keys.OPTIMISER_TABLES
    ],
    required_resource_keys={"warehouse", "progress", "shards"},
)
def optimisation(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
    """Weights for each policy's universe, compiled or by PyPortfolioOpt; each result is proven before it counts."""
    warehouse = context.resources.warehouse
    with warehouse.connect() as conn:
        summary = run_optimisation(
            conn, warehouse.as_of_date(conn), context.run.run_id, shards=context.resources.shards
        )
        pictures = _pictures(conn) if summary.rows.get("target_weights") else {}
    context.resources.progress.say("optimisation", str(summary))
    for table in keys.OPTIMISER_TABLES:
        yield dg.MaterializeResult(
            asset_key=keys.optimiser(table),
            metadata={"dagster/row_count": summary.rows.get(table, 0), **pictures.get(table, {})},
        )


def _pictures(conn: Connection) -> dict[str, dict[str, dg.MarkdownMetadataValue]]:
    """The frontier and the weights of the first optimised portfolio: one picture says whether they make sense."""
    found = conn.execute(
        "select run_id, portfolio_id, volatility, expected_return from intermediate.optimization_runs"
        " where status = 'optimal' order by portfolio_id limit 1"
    ).fetchone()
    if found is None:
        return {}
    run_id, portfolio_id, volatility, expected_return = found
    points = conn.execute(
        "select volatility, expected_return from intermediate.efficient_frontier where run_id = %s order by point",
        [run_id],
    ).fetchall()
    weights = dict(
        conn.execute(
            "select instrument_id, weight from intermediate.target_weights where run_id = %s", [run_id]
        ).fetchall()
    )
    chosen = None if volatility is None or expected_return is None else (volatility, expected_return)
    return {
        "efficient_frontier": {portfolio_id: _inline(frontier_picture(points, chosen))},
        "target_weights": {portfolio_id: _inline(weights_picture(weights))},
    }


def _inline(picture: bytes) -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md(f"![picture](data:image/png;base64,{base64.b64encode(picture).decode()})")
