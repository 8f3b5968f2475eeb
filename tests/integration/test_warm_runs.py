"""Runs of the daemon: in a process that has everything imported, ended by a person, or killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from multiprocessing import forkserver

import dagster as dg
import pytest
from dagster import DagsterInstance, DagsterRunStatus
from dagster._core.launcher.base import LaunchRunContext, WorkerStatus

from orchestration.instance import PROCESS_TAG, process_of, process_tag


@dg.op
def tell_what_was_imported() -> None:
    names = ("dbt.cli.main", "great_expectations", "polars", "ccxt.async_support", "orchestration.definitions")
    missing = [name for name in names if name not in sys.modules]
    assert not missing, missing
    import polars as pl

    # a pool of threads that had begun before the fork would never answer
    frame = pl.DataFrame({"a": range(100_000)}).with_columns(b=pl.col("a") % 7)
    assert frame.group_by("b").agg(pl.col("a").sum()).height == 7


@dg.op
def never_end() -> None:
    time.sleep(600)


@dg.job(executor_def=dg.in_process_executor)
def quick() -> None:
    tell_what_was_imported()


@dg.job(executor_def=dg.in_process_executor)
def endless() -> None:
    never_end()


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DagsterInstance]:
    # another test of this process may have a server of its own running, which has imported nothing
    forkserver._forkserver._stop()  # type: ignore[attr-defined]
    launcher = {"module": "orchestration.warm_runs", "class": "WarmRunLauncher"}
    folder = str(tmp_path_factory.mktemp("dagster"))
    with DagsterInstance.local_temp(folder, overrides={"run_launcher": launcher}) as opened:
        yield opened


def launch(instance: DagsterInstance, job: dg.JobDefinition) -> str:
    origin = dg.reconstructable(job).get_python_origin()
    run = instance.create_run_for_job(job, job_code_origin=origin, status=DagsterRunStatus.NOT_STARTED)
    instance.run_launcher.launch_run(LaunchRunContext(dagster_run=run, workspace=None))
    return run.run_id


def wait_for(instance: DagsterInstance, run_id: str, *statuses: DagsterRunStatus) -> dg.DagsterRun:
    until = time.monotonic() + 120
    while True:
        run = instance.get_run_by_id(run_id)
        assert run is not None
        if run.status in statuses:
            return run
        assert time.monotonic() < until, run.status
        time.sleep(0.1)


def test_a_run_begins_with_everything_imported(instance: DagsterInstance) -> None:
    run_id = launch(instance, quick)
    ended = wait_for(instance, run_id, DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE)
    assert ended.status is DagsterRunStatus.SUCCESS, [e.message for e in instance.all_logs(run_id)]
    assert process_of(ended.tags[PROCESS_TAG]) not in (None, os.getpid())
    assert not instance.run_launcher.terminate(run_id)


def test_a_person_ends_a_run_and_a_killed_one_has_failed(instance: DagsterInstance) -> None:
    ended, killed = launch(instance, endless), launch(instance, endless)
    for run_id in (ended, killed):
        wait_for(instance, run_id, DagsterRunStatus.STARTED)
    assert instance.run_launcher.terminate(ended)
    run = instance.get_run_by_id(killed)
    assert run is not None
    process_id = process_of(run.tags[PROCESS_TAG])
    assert process_id is not None
    os.kill(process_id, signal.SIGKILL)
    wait_for(instance, ended, DagsterRunStatus.CANCELED)
    # without this the next run would wait for it for ever
    wait_for(instance, killed, DagsterRunStatus.FAILURE)


def test_a_run_that_went_down_with_its_daemon_is_not_waited_for(instance: DagsterInstance) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()

    def health(tag: str) -> WorkerStatus:
        run = instance.create_run_for_job(quick, tags={PROCESS_TAG: tag})
        return instance.run_launcher.check_run_worker_health(run).status

    assert health(process_tag(ended.pid)) is WorkerStatus.NOT_FOUND
    assert health(process_tag(os.getpid())) is WorkerStatus.RUNNING
    assert health("elsewhere:1") is WorkerStatus.RUNNING
