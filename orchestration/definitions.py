"""The code location: every asset, check, job, schedule and sensor, with what they need. Put together, nothing computed.

`build_definitions(resources)` lets a test hand in its own resources, so that nothing needs to be patched.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import dagster as dg

from assets.accounts.assets import accounts
from assets.allocation.assets import optimisation
from assets.backtest.assets import policy_backtests
from assets.correlation.assets import correlation_watch, correlations
from assets.ledger.assets import ledger, run_scope
from assets.market.assets import market_data
from assets.performance.assets import performance
from assets.publication.assets import build_publication, verdict
from assets.registry.assets import land_inputs, observed
from assets.risk.assets import risk
from assets.wallets.assets import wallets
from assets.warehouse import dbt
from assets.warehouse.assets import build_operations
from orchestration.automation import build_jobs, build_schedules
from orchestration.resources import (
    accounts_resource,
    chains_resource,
    market_resource,
    progress_resource,
    shards_resource,
    warehouse_resource,
)
from orchestration.sensors import build_sensors
from quality.checks import build_checks

#: `holdfast up` sets it: schedules and sensor start switched on.
SCHEDULES_VARIABLE = "HOLDFAST_SCHEDULES"
#: How old the last publication may be before the UI says so.
_PUBLICATION_FRESHNESS = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=26), warn_window=timedelta(hours=2))

#: Prices are asked for every quarter of an hour; runs in between may hold them up.
_PRICE_FRESHNESS = dg.FreshnessPolicy.time_window(fail_window=timedelta(hours=2), warn_window=timedelta(minutes=45))


def build_definitions(resources: Mapping[str, Any] | None = None) -> dg.Definitions:
    """All definitions.

    Args:
        resources: Replaces single resources, by key.

    Raises:
        FileNotFoundError: The dbt project was never parsed.
    """
    if not dbt.MANIFEST.exists():
        raise FileNotFoundError("the dbt project is not parsed yet; run `make` or `holdfast prepare` once")
    operations = build_operations(dbt.MANIFEST)
    marts = [key for operation in operations for key in operation.keys if key.path[0] == "build"]
    publication = build_publication(marts).map_asset_specs(
        lambda spec: spec.replace_attributes(freshness_policy=_PUBLICATION_FRESHNESS)
    )
    prices = market_data.map_asset_specs(lambda spec: spec.replace_attributes(freshness_policy=_PRICE_FRESHNESS))
    jobs = build_jobs()
    is_on = os.environ.get(SCHEDULES_VARIABLE) == "on"
    return dg.Definitions(
        assets=[
            land_inputs,
            accounts,
            wallets,
            prices,
            observed,
            *operations,
            run_scope,
            ledger,
            performance,
            risk,
            optimisation,
            correlations,
            correlation_watch,
            policy_backtests,
            verdict,
            publication,
        ],
        asset_checks=build_checks(),
        jobs=jobs,
        schedules=build_schedules(jobs, is_on=is_on),
        sensors=build_sensors(jobs, is_on=is_on),
        resources={
            "warehouse": warehouse_resource,
            "progress": progress_resource,
            "chains": chains_resource,
            "accounts": accounts_resource,
            "market": market_resource,
            "shards": shards_resource,
            **(resources or {}),
        },
        # one process for all steps: separate ones would spend seconds importing for every second of work, and the
        # pipeline's lock lives in the run's process
        executor=dg.in_process_executor,
    )


def __getattr__(name: str) -> Any:
    """`defs`, put together when Dagster asks for it: importing this module reads no file."""
    if name == "defs":
        return build_definitions()
    raise AttributeError(name)
