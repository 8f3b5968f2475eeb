"""Imports what runs import, before they are forked (warm_runs.py): 6 s of processor time that no run spends any more.

Belongs here: names of modules. Must not be here: any use of them. A library that starts threads when it is used, such
as polars, is imported and left alone: threads do not survive a fork.
"""

from importlib import import_module

for _name in (
    "alpaca.trading.client", "assets.market.acceptance", "ccxt.async_support", "dagster_postgres",
    "dbt.adapters.postgres", "dbt.cli.main", "exchange_calendars", "great_expectations", "orchestration.definitions",
    "orchestration.warm_runs", "polars", "yfinance",
):  # fmt: skip
    import_module(_name)
