"""Risk as assets: value at risk, its parts by holding, and what stress would cost."""

from collections.abc import Iterator

import dagster as dg

from assets import keys
from assets.risk.store import run_risk

_DESCRIPTIONS = {
    "portfolio_risk": "Value at risk and expected shortfall by horizon, confidence, method; NULL comes with a reason.",
    "risk_contributions": "What each holding adds to the parametric value at risk; the parts add up to it.",
    "stress_tests": "What episodes of the past, single shocks and the owner's scenarios would cost now.",
}


@dg.multi_asset(
    name="risk",
    specs=[
        dg.AssetSpec(
            keys.risk(table),
            deps=[
                keys.dbt_model("build", "portfolio_assets"),
                keys.dbt_model("intermediate", "int_fx_daily"),
                keys.dbt_model("intermediate", "int_instrument_returns"),
                keys.dbt_model("intermediate", "int_instruments"),
                keys.dbt_model("intermediate", "int_portfolios"),
                keys.registry("scenarios"),
            ],
            group_name=keys.MEASURES,
            description=_DESCRIPTIONS[table],
            kinds={"python", "postgres"},
            owners=["team:holdfast"],
        )
        for table in keys.RISK_TABLES
    ],
    required_resource_keys={"warehouse", "progress"},
)
def risk(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
    """What is held now, revalued over the history of its returns."""
    warehouse = context.resources.warehouse
    with warehouse.connect() as conn:
        summary = run_risk(conn, warehouse.as_of_date(conn))
    context.resources.progress.say("risk", str(summary))
    for table, rows in summary.rows.items():
        yield dg.MaterializeResult(asset_key=keys.risk(table), metadata={"dagster/row_count": rows})
