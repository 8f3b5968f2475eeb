"""The ledger as assets: the run's scope is chosen, then its transactions become positions, lots, gains and flows."""

from collections.abc import Iterator

import dagster as dg

from assets import keys
from assets.ledger.store import run_ledger
from assets.publication import runs

_DESCRIPTIONS = {
    "positions": "Quantity, cost and acquisition rate of each position by interval of days.",
    "entries": "Money effects by day and measure: flows, income, fees, gains.",
    "flows": "External flows.",
    "lots": "Open lots at the as-of.",
    "disposals": "Disposals by the lot that each one used.",
    "income": "Income receipts.",
    "transactions": "Transactions with their money in base currency.",
    "issues": "What the ledger could not believe.",
    "reconciliation": "Each observed balance beside the one derived for its moment.",
}


@dg.asset(
    key=keys.RUN_SCOPE,
    group_name=keys.LEDGER,
    deps=[keys.dbt_model("intermediate", "int_portfolio_fingerprints")],
    required_resource_keys={"warehouse", "progress"},
    kinds={"postgres"},
    owners=["team:holdfast"],
)
def run_scope(context: dg.AssetExecutionContext) -> dg.MaterializeResult[None]:
    """The portfolios whose numbers may differ from what is published; everything after works on these alone."""
    with context.resources.warehouse.connect() as conn:
        chosen = runs.choose_scope(conn)
    context.resources.progress.say("scope", f"{chosen} portfolios to compute")
    return dg.MaterializeResult(metadata={"portfolios": chosen})


@dg.multi_asset(
    name="ledger",
    specs=[
        dg.AssetSpec(
            keys.ledger(table),
            deps=[
                keys.RUN_SCOPE,
                *(
                    keys.dbt_model("intermediate", model)
                    for model in ("int_transactions", "int_balances", "int_price_points", "int_fx_points",
                                  "int_instruments", "int_portfolios")
                ),
            ],
            group_name=keys.LEDGER,
            description=_DESCRIPTIONS[table],
            kinds={"python", "postgres"},
            owners=["team:holdfast"],
        )
        for table in keys.LEDGER_TABLES
    ],
    required_resource_keys={"warehouse", "progress"},
)  # fmt: skip
def ledger(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
    """Lots, realised gains, flows, income and fees of the run's scope."""
    with context.resources.warehouse.connect() as conn:
        summary = run_ledger(conn)
    context.resources.progress.say("ledger", str(summary))
    for table in keys.LEDGER_TABLES:
        yield dg.MaterializeResult(
            asset_key=keys.ledger(table), metadata={"dagster/row_count": summary.rows.get(table, 0)}
        )
