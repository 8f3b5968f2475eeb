"""What starts a run besides the clock: changed files, requests, new holdings, news of brokers. Off until asked for."""

import asyncio
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256

import dagster as dg

from assets.accounts.store import Permitted, broker_states, plan
from assets.market.refreshing import Access
from assets.market.store import is_ready, is_work_waiting
from assets.publication import runs
from assets.warehouse.database import connect, has_relation
from orchestration.automation import HOURLY_JOB, MARKET_JOB, Job, run_config
from orchestration.embedded_postgres import database_url
from orchestration.settings import Settings, load_settings


def build_sensors(jobs: Sequence[Job], *, is_on: bool) -> list[dg.SensorDefinition]:
    """A run whenever a file of the inputs folder changed, and whenever somebody waits for a snapshot."""
    state = dg.DefaultSensorStatus.RUNNING if is_on else dg.DefaultSensorStatus.STOPPED
    job = next(job for job in jobs if job.name == HOURLY_JOB)

    @dg.sensor(
        job=job, name="changed_inputs", minimum_interval_seconds=30, default_status=state,
        description="Starts a run when a file of HOLDFAST_INPUTS is added, changed or removed.",
    )  # fmt: skip
    def changed_inputs(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        folder = load_settings().inputs
        if folder is None or not folder.is_dir():
            yield dg.SkipReason("HOLDFAST_INPUTS names no folder")
            return
        files = [p for p in sorted(folder.rglob("*")) if p.suffix in {".csv", ".yaml"}]
        state = "|".join(f"{p.relative_to(folder)}:{p.stat().st_mtime_ns}:{p.stat().st_size}" for p in files)
        if state == context.cursor:
            yield dg.SkipReason("no file changed")
            return
        context.update_cursor(state)
        yield dg.RunRequest(run_key=datetime.now(UTC).isoformat(), run_config=run_config(inputs=str(folder)))

    @dg.sensor(
        job=job, name="requested_snapshots", minimum_interval_seconds=30, default_status=state,
        description="Starts a run when somebody asked for a snapshot in registry.snapshot_requests.",
    )  # fmt: skip
    def requested_snapshots(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        with connect(database_url(load_settings())) as conn:
            newest = runs.newest_request(conn) if has_relation(conn, "registry.snapshot_requests") else None
        if newest is None:
            yield dg.SkipReason("nobody waits for a snapshot")
            return
        # one run for all that wait; one that the run could not fulfil waits for the next run of any kind
        yield dg.RunRequest(run_key=f"snapshot-{newest}", run_config=run_config())

    @dg.sensor(
        job=next(job for job in jobs if job.name == MARKET_JOB), name="new_holdings", minimum_interval_seconds=60,
        default_status=state,
        description="Fetches prices of what is held for the first time, and pages whose next try has come.",
    )  # fmt: skip
    def new_holdings(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        settings = load_settings()
        if not Access(settings.sources, settings.endpoints).is_any:
            yield dg.SkipReason("HOLDFAST_SOURCES lets no source of prices be asked")
            return
        with connect(database_url(settings)) as conn:
            is_waiting = is_ready(conn) and is_work_waiting(conn)
        if not is_waiting:
            yield dg.SkipReason("everything that is held is followed, and no page is due")
            return
        yield dg.RunRequest(run_key=datetime.now(UTC).isoformat())

    return [changed_inputs, requested_snapshots, new_holdings, _broker_changes(job, state)]


def _broker_changes(job: Job, status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    @dg.sensor(
        job=job, name="broker_changes", minimum_interval_seconds=5, default_status=status,
        description="Starts a run when something happened in a broker's account: a fill, a transfer, a position.",
    )  # fmt: skip
    def broker_changes(context: dg.SensorEvaluationContext) -> Iterator[dg.RunRequest | dg.SkipReason]:
        changed = changed_broker_accounts(load_settings(), os.environ)
        if not changed:
            yield dg.SkipReason("nothing new in any broker's account")
            return
        # one run for one state of all accounts, however long it takes
        told = sha256(repr(sorted(changed.items())).encode()).hexdigest()[:24]
        yield dg.RunRequest(run_key=f"brokers-{told}", run_config=run_config())

    return broker_changes


def changed_broker_accounts(settings: Settings, environ: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """(portfolio, account) → new state, of accounts at brokers in which something happened since the last reading."""
    from assets.accounts.exchanges import BROKERS, Accounts

    everything = Permitted(settings.sources, environ)
    permitted = Permitted(tuple(source for source in sorted(BROKERS) if everything.allows(source)), environ)
    if not permitted.allowed:
        return {}
    with connect(database_url(settings)) as conn:
        if not has_relation(conn, "ops.account_states"):
            return {}
        requests, known = plan(conn, permitted).requests, broker_states(conn)
    return asyncio.run(Accounts(settings.endpoints, account_seconds=10.0).changed(requests, known)) if requests else {}
