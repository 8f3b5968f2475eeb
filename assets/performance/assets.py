"""Path-dependent measures as assets: returns, risk, contribution, attribution, comparison over each standard period."""

from collections.abc import Iterator

import dagster as dg

from assets import keys
from assets.performance.store import run_performance

_DESCRIPTIONS = {
    "performance": "TWR, MWR, gains, volatility, Sharpe, Sortino, Calmar and drawdown; NULL comes with a reason.",
    "contribution": "What each instrument gave to the return, adding up to it.",
    "attribution": "Allocation, selection, interaction by class of assets, adding up to the lead over the benchmark.",
    "comparison": "Tracking error, beta, alpha, correlation against benchmark, equal weight and the user's others.",
}


@dg.multi_asset(
    name="performance",
    specs=[
        dg.AssetSpec(
            keys.measure(table),
            deps=[
                keys.dbt_model("build", "portfolio_daily"),
                keys.dbt_model("intermediate", "int_fx_daily"),
                keys.dbt_model("intermediate", "int_instrument_returns"),
                keys.dbt_model("intermediate", "int_instruments"),
                keys.dbt_model("intermediate", "int_portfolios"),
                keys.dbt_model("intermediate", "int_price_daily"),
                keys.ledger("entries"),
                keys.ledger("positions"),
                keys.dbt_model("staging", "stg_corporate_actions"),
                keys.RUN,
                keys.RUN_SCOPE,
            ],
            group_name=keys.MEASURES,
            description=_DESCRIPTIONS[table],
            kinds={"python", "postgres"},
            owners=["team:holdfast"],
        )
        for table in keys.MEASURE_TABLES
    ],
    required_resource_keys={"warehouse", "progress"},
)
def performance(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
    """Every measure of every standard period, from one reading of the daily rows."""
    warehouse = context.resources.warehouse
    with warehouse.connect() as source, warehouse.connect() as conn:
        summary = run_performance(source, conn, warehouse.as_of_date(source))
    context.resources.progress.say("performance", str(summary))
    for table, rows in summary.rows.items():
        yield dg.MaterializeResult(asset_key=keys.measure(table), metadata={"dagster/row_count": rows})
