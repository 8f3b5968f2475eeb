"""Path-dependent measures as an asset: returns and risk of each portfolio over each standard period."""

import dagster as dg

from assets import keys
from assets.performance.store import run_performance


@dg.asset(
    key=keys.PERFORMANCE,
    group_name=keys.MEASURES,
    deps=[keys.dbt_model("build", "portfolio_daily"), keys.RUN],
    required_resource_keys={"warehouse", "progress"},
    kinds={"python", "postgres"},
    owners=["team:holdfast"],
)
def performance(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    """TWR, MWR, gains, volatility, Sharpe, Sortino, Calmar and drawdown by period; NULL comes with a reason."""
    warehouse = context.resources.warehouse
    with warehouse.connect() as conn:
        summary = run_performance(conn, warehouse.as_of_date(conn))
    context.resources.progress.say("performance", str(summary))
    return dg.MaterializeResult(metadata={"dagster/row_count": summary.rows})
