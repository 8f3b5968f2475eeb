"""When runs happen: the jobs and their schedules (off until switched on). What starts a run besides: sensors.py."""

from collections.abc import Sequence

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

from assets import keys
from orchestration.maintenance import MAINTENANCE_JOB, build_maintenance_job

DAILY_JOB = "daily_portfolio"
HOURLY_JOB = "hourly_snapshot"
MARKET_JOB = "market_refresh"

#: job -> cron in UTC; a job without a declared schedule is a mistake that raises
SCHEDULES = {
    HOURLY_JOB: "5 * * * *",
    DAILY_JOB: "20 0 * * *",
    MARKET_JOB: "*/15 * * * *",
    MAINTENANCE_JOB: "40 3 * * 0",
}
_DESCRIPTIONS = {
    HOURLY_JOB: "Values every portfolio now and publishes a snapshot; computes only what changed.",
    DAILY_JOB: "Closes the day before for every portfolio and publishes it.",
    MARKET_JOB: "Asks the sources for prices of what is held and for history that is missing, and reads"
    " how much assets move as one; publishes nothing.",
}


Job = UnresolvedAssetJobDefinition | dg.JobDefinition


def build_jobs() -> list[Job]:
    """One job over the whole graph for each rhythm: a selection with a hole would let a gate be passed by.

    The job of prices is closed too: nothing lies between the prices and the watch over correlations. The one of
    maintenance has no asset.
    """
    prices = dg.AssetSelection.assets(
        *(keys.market(schema, table) for schema, table in keys.MARKET_TABLES), keys.CORRELATION_WATCH
    )
    jobs: list[Job] = [
        dg.define_asset_job(
            name,
            selection=prices if name == MARKET_JOB else dg.AssetSelection.all(),
            description=description,
            executor_def=dg.in_process_executor,
            tags={"holdfast/rhythm": name},
        )
        for name, description in _DESCRIPTIONS.items()
    ]
    return [*jobs, build_maintenance_job()]


def build_schedules(jobs: Sequence[Job], *, is_on: bool) -> list[dg.ScheduleDefinition]:
    """A schedule for every job; off unless `holdfast up` (or a person in the UI) switches it on."""
    return [_schedule(job, SCHEDULES[job.name], is_on=is_on) for job in jobs]


def _schedule(job: Job, cron: str, *, is_on: bool) -> dg.ScheduleDefinition:
    state = dg.DefaultScheduleStatus.RUNNING if is_on else dg.DefaultScheduleStatus.STOPPED

    @dg.schedule(
        job=job,
        cron_schedule=cron,
        execution_timezone="UTC",
        default_status=state,
        name=f"{job.name}_schedule",
        description=job.description,
    )
    def schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        moment = context.scheduled_execution_time
        if job.name in {MARKET_JOB, MAINTENANCE_JOB}:
            return dg.RunRequest(run_key=moment.isoformat())
        config = {"as_of": moment.date().isoformat() + "T00:00:00+00:00"} if job.name == DAILY_JOB else {}
        return dg.RunRequest(run_key=moment.isoformat(), run_config=run_config(**config))

    return schedule


def run_config(inputs: str | None = None, as_of: str | None = None) -> dict[str, object]:
    """Run configuration of both jobs; what they do is in the UI, and costs time to print as well."""
    config = {key: value for key, value in {"inputs": inputs, "as_of": as_of}.items() if value is not None}
    return {"ops": {"land_inputs": {"config": config}}, "loggers": {"console": {"config": {"log_level": "WARNING"}}}}
