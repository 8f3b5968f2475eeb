"""Market data as assets: what is held is tracked, and its history and newest prices are asked for within a time."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from assets import keys
from assets.market.landing import judge_again
from assets.market.refreshing import Refreshed
from assets.market.store import is_ready
from assets.publication import runs

#: The pool of all hosts of prices: one operation asks them all, each within the budget of its host; with a limit of one
#: no other process asks the same hosts beside it.
POOL = "market"

_DESCRIPTIONS = {
    "tracked_instruments": "Instruments that are held or named, or were, and which part of their history is known.",
    "backfill_jobs": "What is still to be asked for, page by page, and what could not be had and why.",
    "bars": "Prices of sources as received, each accepted, held or refused.",
    "source_actions": "Splits and dividends as sources tell them.",
    "fetch_log": "What each question to a source cost and what came of it.",
}


@dg.multi_asset(
    name="market_data",
    specs=[
        dg.AssetSpec(
            keys.market(schema, table),
            deps=[
                keys.RUN,
                keys.raw("transactions"),
                keys.raw("balances"),
                keys.ACCOUNTS,
                keys.raw("wallet_balances"),
                keys.registry("portfolios"),
                keys.registry("targets"),
                keys.registry("policies"),
                keys.registry("instruments"),
            ],
            group_name=keys.MARKET,
            description=_DESCRIPTIONS[table],
            kinds={"python", "postgres"},
            skippable=True,
            owners=["team:holdfast"],
        )
        for schema, table in keys.MARKET_TABLES
    ],
    required_resource_keys={"market", "progress"},
    pool=POOL,
)
def market_data(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
    """Ask the sources for what is missing.

    Alone (job market_refresh) it describes no moment and publishes nothing. Within a run it asks up to the as-of, and
    for newest prices only where that is now. A source that fails costs its own prices.
    """
    market, progress, run_id = context.resources.market, context.resources.progress, context.run.run_id
    refreshed: Refreshed | None = None
    with market.connect() as conn:
        if not is_ready(conn):
            progress.say("prices", "no run has made the database ready yet")
            return
        is_run = runs.is_running(conn, run_id)
        window = runs.window_of(conn, run_id) if is_run else None
        is_asked = market.is_asked(conn)
    if is_asked:
        refreshed = market.bring_up_to_date(
            run_id,
            horizon=window.as_of if window else None,
            is_present=window.is_present(datetime.now(UTC)) if window else True,
            holds_pipeline=is_run,
        )
        progress.say("prices", str(refreshed))
    if is_run:
        with market.connect() as conn:
            freed = judge_again(conn, datetime.now(UTC))
        if freed:
            progress.say("prices", f"{freed} prices are held no more")
    if is_run and is_asked:
        with market.connect() as conn:
            runs.move_to(conn, run_id, datetime.now(UTC))
    rows = {"bars": refreshed.new_rows, "backfill_jobs": refreshed.tracking.jobs} if refreshed else {}
    for schema, table in keys.MARKET_TABLES:
        yield dg.MaterializeResult(asset_key=keys.market(schema, table), metadata={"new_rows": rows.get(table, 0)})
