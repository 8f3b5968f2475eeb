"""Correlations as assets: of all that is held, the regime they make, and how portfolios move with factors."""

from collections.abc import Iterator

import dagster as dg

from assets import keys
from assets.correlation.store import run_correlations
from assets.correlation.watching import watch
from assets.publication import runs

_DESCRIPTIONS = {
    "asset_correlations": "Correlations of all pairs of assets that anybody holds, over 30, 90 and 365 days.",
    "correlation_readings": "Average correlation, first eigenvalue, diversification and regime, kept over time.",
    "factor_exposures": "Slope of each portfolio's returns on those of each factor that has prices.",
    "diversification": "Diversification ratio of each portfolio.",
}


@dg.multi_asset(
    name="correlations",
    specs=[
        dg.AssetSpec(
            keys.correlation(table),
            deps=[
                keys.dbt_model("build", "portfolio_assets"),
                keys.dbt_model("build", "portfolio_daily"),
                keys.dbt_model("intermediate", "int_factors"),
                keys.dbt_model("intermediate", "int_fx_daily"),
                keys.dbt_model("intermediate", "int_instruments"),
                keys.dbt_model("intermediate", "int_portfolios"),
                keys.dbt_model("intermediate", "int_price_daily"),
                keys.dbt_model("intermediate", "int_splits"),
                keys.ledger("positions"),
                keys.RUN_SCOPE,
            ],
            group_name=keys.ALLOCATION,
            description=_DESCRIPTIONS[table],
            kinds={"python", "postgres"},
            owners=["team:holdfast"],
        )
        for table in keys.CORRELATION_TABLES
    ],
    required_resource_keys={"warehouse", "progress"},
)
def correlations(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
    """Pairs on the days on which both were seen; a regime is of all that anybody holds."""
    warehouse = context.resources.warehouse
    with warehouse.connect() as conn:
        summary = run_correlations(conn, warehouse.as_of_date(conn))
    context.resources.progress.say("correlations", str(summary))
    for table in keys.CORRELATION_TABLES:
        yield dg.MaterializeResult(
            asset_key=keys.correlation(table),
            metadata={"dagster/row_count": summary.rows.get(table, len(summary.regimes))},
        )


@dg.multi_asset(
    name="correlation_watch",
    specs=[
        dg.AssetSpec(
            keys.CORRELATION_WATCH,
            deps=[keys.market(schema, table) for schema, table in keys.MARKET_TABLES],
            group_name=keys.MARKET,
            description="Readings between two runs, with the newest prices; the next publication shows them.",
            kinds={"python", "postgres"},
            skippable=True,
            owners=["team:holdfast"],
        )
    ],
    required_resource_keys={"market", "progress"},
)
def correlation_watch(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
    """Whether assets begin to move as one, every 15 minutes with a new price. A run makes its own reading."""
    with context.resources.market.connect() as conn:
        if runs.is_running(conn, context.run.run_id):
            return
        watched = watch(conn)
    if watched is None:
        return
    context.resources.progress.say("correlations", str(watched))
    yield dg.MaterializeResult(
        asset_key=keys.CORRELATION_WATCH,
        metadata={
            "as_of": watched.as_of.isoformat(),
            "assets_moved": watched.moved,
            **{f"regime_{days}d": name or "undefined" for days, name in watched.regimes.items()},
        },
    )
