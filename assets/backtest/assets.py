"""The back-test as an asset: what each policy would have done, up to the last closed month."""

import dagster as dg

from assets import keys
from assets.backtest.store import run_backtests
from assets.publication.runs import engine_version


@dg.asset(
    key=keys.BACKTESTS,
    deps=[
        keys.dbt_model("intermediate", "int_fx_daily"),
        keys.dbt_model("intermediate", "int_instruments"),
        keys.dbt_model("intermediate", "int_price_daily"),
        keys.dbt_model("intermediate", "int_splits"),
        keys.dbt_model("build", "portfolio_daily"),
        keys.ledger("positions"),
        keys.registry("policies"),
        keys.RUN_SCOPE,
    ],
    group_name=keys.ALLOCATION,
    required_resource_keys={"warehouse", "progress"},
    kinds={"python", "postgres"},
    owners=["team:holdfast"],
)
def policy_backtests(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    """Policies walked forward over three years, beside equal weight and the benchmark; again when a month closes."""
    warehouse = context.resources.warehouse
    with warehouse.connect() as conn:
        said = run_backtests(conn, warehouse.as_of_date(conn), engine_version()[:12])
    context.resources.progress.say("backtest", said)
    return dg.MaterializeResult(metadata={"done": said})
