"""The weekly job `maintenance`: what is too old leaves for the archive, and Dagster forgets its oldest runs.

Belongs here: in which order and under which lock. Must not be here: what is old (assets/market/archive.py,
assets/publication/retention.py). It materialises no asset, so it cannot lead a run past a gate.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
from dagster import DagsterInstance, DagsterRunStatus, RunsFilter

from assets.market.archive import archive_bars
from assets.publication.retention import archive_snapshots, published_until
from assets.warehouse.archive import Moved
from assets.warehouse.database import connect, pipeline_lock
from assets.warehouse.migrate import migrate
from orchestration.embedded_postgres import database_url
from orchestration.settings import Settings, load_settings

MAINTENANCE_JOB = "maintenance"
#: Dagster never forgets a run's events by itself.
KEPT_RUNS = timedelta(days=30)
_LOCK_WAIT_SECONDS = 60.0
_RUNS_AT_ONCE = 100
_FINISHED = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]


@dataclass(frozen=True)
class Maintained:
    """What one maintenance did."""

    bars: Moved = field(default_factory=Moved)
    snapshots: Moved = field(default_factory=Moved)
    is_published: bool = True

    def __str__(self) -> str:
        if not self.is_published:
            return "nothing has been published yet, so nothing is too old"
        return (
            f"archived {self.bars.rows:,} bars in {self.bars.files} files and"
            f" {self.snapshots.rows:,} snapshots in {self.snapshots.files} files"
        )


def archive_root(settings: Settings) -> Path:
    """Where the archive lies."""
    return settings.home / "archive"


def archive_what_is_old(settings: Settings, url: str, run_id: str, now: datetime) -> Maintained:
    """Move old bars and snapshots into the archive, while no run works on what they are.

    Ages count from the moment that the last publication describes: one of years ago keeps its days.

    Raises:
        PipelineBusyError: a run held the pipeline for a minute.
        ArchiveError: a file was not what was written; what went before it is moved, nothing is lost.
    """
    root = archive_root(settings)
    with pipeline_lock(url, run_id, wait_seconds=_LOCK_WAIT_SECONDS), connect(url, autocommit=True) as conn:
        migrate(conn)
        until = published_until(conn)
        if until is None:
            return Maintained(is_published=False)
        moment = min(now, until)
        return Maintained(archive_bars(conn, root, moment), archive_snapshots(conn, root, moment))


def forget_old_runs(instance: DagsterInstance, now: datetime) -> int:
    """Delete Dagster's records of runs that ended more than 30 days ago; returns how many.

    A run that made an asset last stays, so that Dagster still shows when that was.
    """
    last = {
        record.asset_entry.last_materialization.run_id
        for record in instance.get_asset_records()
        if record.asset_entry.last_materialization
    }
    old: list[str] = []
    cursor: str | None = None
    while True:
        records = instance.get_run_records(RunsFilter(statuses=_FINISHED), limit=_RUNS_AT_ONCE, cursor=cursor)
        for record in records:
            run_id = record.dagster_run.run_id
            if run_id not in last and record.update_timestamp.replace(tzinfo=UTC) < now - KEPT_RUNS:
                old.append(run_id)
        if len(records) < _RUNS_AT_ONCE:
            break
        cursor = records[-1].dagster_run.run_id
    for run_id in old:
        instance.delete_run(run_id)
    return len(old)


@dg.op(name="maintain", description="Moves what is too old into the archive and deletes Dagster's oldest runs.")
def _maintain(context: dg.OpExecutionContext) -> None:
    settings, now = load_settings(), datetime.now(UTC)
    context.log.info(str(archive_what_is_old(settings, database_url(settings), context.run_id, now)))
    context.log.info(f"deleted Dagster's records of {forget_old_runs(context.instance, now)} runs")


def build_maintenance_job() -> dg.JobDefinition:
    """The job; it has no assets."""

    @dg.job(
        name=MAINTENANCE_JOB,
        description="Moves old prices and snapshots into the Parquet archive and prunes Dagster's event log.",
        executor_def=dg.in_process_executor,
        tags={"holdfast/rhythm": MAINTENANCE_JOB},
    )
    def maintenance() -> None:
        _maintain()

    return maintenance
