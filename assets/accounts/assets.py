"""Accounts as an asset: all of them are asked at once, and what differs is landed."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import dagster as dg

from assets import keys
from assets.accounts.model import AccountReport
from assets.accounts.store import Plan, land, plan, retract_and_admit
from assets.publication import runs


@dg.multi_asset(
    name="accounts",
    specs=[
        dg.AssetSpec(
            keys.ACCOUNTS,
            deps=[keys.RUN, keys.registry("accounts"), keys.registry("instruments")],
            group_name=keys.INPUTS,
            description="What accounts at exchanges and brokers said: trades, transfers and balances into raw.",
            kinds={"python", "postgres"},
            owners=["team:holdfast"],
        )
    ],
    required_resource_keys={"warehouse", "progress", "accounts"},
)
def accounts(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult[None]]:
    """Ask all accounts.

    Asked are they where the run describes the present and live sources are allowed. One that does not answer keeps what
    it said before.
    """
    warehouse, progress, live = context.resources.warehouse, context.resources.progress, context.resources.accounts
    run_id = context.run.run_id
    reports: Sequence[AccountReport] = ()
    with warehouse.connect() as conn:
        is_present = runs.window_of(conn, run_id).is_present(datetime.now(UTC))
        asked = plan(conn, live.permitted) if is_present else Plan()
        retract_and_admit(conn)
    if asked.requests or asked.unasked:
        reports = live.read(asked.requests)
        with warehouse.connect() as conn:
            window = runs.move_to(conn, run_id, datetime.now(UTC))
            landed = land(conn, run_id, window.cutoff_at, asked, reports)
        progress.say("accounts", str(landed))
    yield dg.MaterializeResult(
        asset_key=keys.ACCOUNTS, metadata={"accounts": _table(reports)} if reports else {"accounts": "none asked"}
    )


def _table(reports: Sequence[AccountReport]) -> dg.TableMetadataValue:
    return dg.MetadataValue.table(
        [
            dg.TableRecord(
                {
                    "portfolio": report.portfolio_id,
                    "account": report.account_id,
                    "source": report.source,
                    "outcome": report.outcome,
                    "problem": (report.failure or "")[:300],
                    "requests": report.requests,
                    "transactions": len(report.transactions),
                    "waiting": len(report.waiting),
                }
            )
            for report in reports
        ]
    )
