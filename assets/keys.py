"""Every asset key and group of the product; the only place with key strings.

A mistyped key raises nothing in Dagster: it invents an external asset, and the consumer runs without its gates.
"""

from __future__ import annotations

from dagster import AssetKey

# groups, in the order in which data flows
INPUTS, MARKET, LEDGER, HOLDINGS, MEASURES, ALLOCATION, QUALITY, PUBLICATION = (
    "inputs", "market", "ledger", "holdings", "measures", "allocation", "quality", "publication",
)  # fmt: skip

RUN = AssetKey(["ops", "run"])
ACCOUNTS = AssetKey(["ops", "accounts"])
OBSERVED = AssetKey(["ops", "observed"])
RUN_SCOPE = AssetKey(["ops", "run_scope"])
HELD_PORTFOLIOS = AssetKey(["ops", "held_portfolios"])
CHECK_RESULTS = AssetKey(["quality", "check_results"])
BACKTESTS = AssetKey(["ops", "policy_backtests"])
CORRELATION_WATCH = AssetKey(["ops", "correlation_watch"])
PUBLISHED = AssetKey(["marts", "publication"])

REGISTRY_TABLES = (
    "users", "portfolios", "accounts", "portfolio_wallets", "targets", "policies", "limits", "scenarios", "risk_scores",
    "instruments", "price_settings",
)  # fmt: skip
RAW_TABLES = ("transactions", "prices", "balances", "corporate_actions")
WALLET_TABLES = ("chain_reads", "wallet_balances", "wallet_positions", "wallet_transfers")
MARKET_TABLES = (
    ("registry", "tracked_instruments"), ("registry", "backfill_jobs"), ("raw", "bars"), ("raw", "source_actions"),
    ("ops", "fetch_log"),
)  # fmt: skip
LEDGER_TABLES = (
    "positions", "entries", "flows", "lots", "disposals", "income", "transactions", "issues", "reconciliation",
)  # fmt: skip
MEASURE_TABLES = ("performance", "contribution", "attribution", "comparison")
RISK_TABLES = ("portfolio_risk", "risk_contributions", "stress_tests")
CORRELATION_TABLES = ("asset_correlations", "correlation_readings", "factor_exposures", "diversification")
OPTIMISER_TABLES = (
    "optimization_runs", "optimization_inputs", "optimization_checks", "target_weights", "efficient_frontier",
    "rebalancing_suggestions",
)  # fmt: skip


def registry(table: str) -> AssetKey:
    """Key of a registry table."""
    return AssetKey(["registry", table])


def raw(table: str) -> AssetKey:
    """Key of a raw table."""
    return AssetKey(["raw", table])


def market(schema: str, table: str) -> AssetKey:
    """Key of a table that sources of prices fill."""
    return AssetKey([schema, table])


def ledger(table: str) -> AssetKey:
    """Key of a table that the ledger writes."""
    return AssetKey(["ledger", table])


def measure(table: str) -> AssetKey:
    """Key of a table that the measures write."""
    return AssetKey(["measures", table])


def risk(table: str) -> AssetKey:
    """Key of a table that the measures of risk write."""
    return AssetKey(["risk", table])


def optimiser(table: str) -> AssetKey:
    """Key of a table that the optimiser writes."""
    return AssetKey(["optimiser", table])


def correlation(table: str) -> AssetKey:
    """Key of a table that the correlations write."""
    return AssetKey(["correlation", table])


def dbt_model(schema: str, name: str) -> AssetKey:
    """Key of a dbt model: its schema and its name."""
    return AssetKey([schema, name])


def dbt_source(schema: str, table: str) -> AssetKey:
    """Key of the asset behind a dbt source table."""
    if (schema, table) in MARKET_TABLES:
        return market(schema, table)
    if table in CORRELATION_TABLES:
        return correlation(table)
    if schema == "ops":
        # what counts is known when accounts and chains were asked, which moves the run's moment on
        return {
            "run_scope": RUN_SCOPE,
            "held_portfolios": HELD_PORTFOLIOS,
            "policy_backtests": BACKTESTS,
        }.get(table, OBSERVED)
    if schema == "raw":
        return {"batches": OBSERVED, "token_facts": raw("wallet_balances")}.get(table) or raw(table)
    if schema == "registry":
        return OBSERVED if table == "snapshot_requests" else registry(table)
    if schema == "quality":
        return CHECK_RESULTS
    if table.startswith("ledger_"):
        return ledger(table.removeprefix("ledger_"))
    if table in MEASURE_TABLES:
        return measure(table)
    if table in RISK_TABLES:
        return risk(table)
    return optimiser(table)
