"""When runs happen: the jobs, their schedules (off until switched on) and the sensor for changed inputs."""

import asyncio
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import sha256

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from assets.accounts.store import Permitted, broker_states, is_migrated, plan
from assets.publication import runs
from assets.warehouse.database import connect
from orchestration.embedded_postgres import database_url
from orchestration.settings import Settings, load_settings

DAILY_JOB = "daily_portfolio"
HOURLY_JOB = "hourly_snapshot"

#: job -> cron in UTC; a job without a declared schedule is a mistake that raises
SCHEDULES = {HOURLY_JOB: "5 * * * *", DAILY_JOB: "20 0 * * *"}
_DESCRIPTIONS = {
    HOURLY_JOB: "Values every portfolio now and publishes a snapshot; computes only what changed.",
    DAILY_JOB: "Closes the day before for every portfolio and publishes it.",
}


def build_jobs() -> list[UnresolvedAssetJobDefinition]:
    """One job over the whole graph for each rhythm: a selection with a hole would let a gate be passed by."""
    return [
        dg.define_asset_job(
            name,
            selection=dg.AssetSelection.all(),
            description=description,
            executor_def=dg.in_process_executor,
            tags={"holdfast/rhythm": name},
        )
        for name, description in _DESCRIPTIONS.items()
    ]


def build_schedules(jobs: Sequence[UnresolvedAssetJobDefinition], *, is_on: bool) -> list[dg.ScheduleDefinition]:
    """A schedule for every job; off unless `holdfast up` (or a person in the UI) switches it on."""
    return [_schedule(job, SCHEDULES[job.name], is_on=is_on) for job in jobs]


def _schedule(job: UnresolvedAssetJobDefinition, cron: str, *, is_on: bool) -> dg.ScheduleDefinition:
    state = dg.DefaultScheduleStatus.RUNNING if is_on else dg.DefaultScheduleStatus.STOPPED

    @dg.schedule(
        job=job, cron_schedule=cron, execution_timezone="UTC", default_status=state, name=f"{job.name}_schedule"
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        moment = context.scheduled_execution_time
        config = {"as_of": moment.date().isoformat() + "T00:00:00+00:00"} if job.name == DAILY_JOB else {}
        return dg.RunRequest(run_key=moment.isoformat(), run_config=run_config(**config))

    return schedule


def build_sensors(jobs: Sequence[UnresolvedAssetJobDefinition], *, is_on: bool) -> list[dg.SensorDefinition]:
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
            newest = runs.newest_request(conn)
        if newest is None:
            yield dg.SkipReason("nobody waits for a snapshot")
            return
        # one run for all that wait; one that the run could not fulfil waits for the next run of any kind
        yield dg.RunRequest(run_key=f"snapshot-{newest}", run_config=run_config())

    return [changed_inputs, requested_snapshots, _broker_changes(job, state)]


def _broker_changes(job: UnresolvedAssetJobDefinition, status: dg.DefaultSensorStatus) -> dg.SensorDefinition:
    @dg.sensor(
        job=job, name="broker_changes", minimum_interval_seconds=15, default_status=status,
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
        if not is_migrated(conn):
            return {}
        requests, known = plan(conn, permitted).requests, broker_states(conn)
    return asyncio.run(Accounts(settings.endpoints, account_seconds=10.0).changed(requests, known)) if requests else {}


def run_config(inputs: str | None = None, as_of: str | None = None) -> dict[str, object]:
    """Run configuration of both jobs."""
    config = {key: value for key, value in {"inputs": inputs, "as_of": as_of}.items() if value is not None}
    return {"ops": {"land_inputs": {"config": config}}}
