"""Runs of the daemon in processes that begin warm: forked from one that has imported what every run needs.

Belongs here: the launcher that dagster.yaml names, and what its processes do. Must not be here: what a run does. A cold
process imports for longer than a run with little to do works, and a broker's change is to be seen within 30 s.
"""

import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from functools import cache
from multiprocessing import get_context
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from threading import Thread
from typing import Any

from dagster import DagsterInstance, DagsterRun
from dagster._config.config_schema import UserConfigSchema
from dagster._core.execution.api import execute_run_iterator
from dagster._core.instance.ref import InstanceRef
from dagster._core.launcher.base import CheckRunHealthResult, LaunchRunContext, RunLauncher, WorkerStatus
from dagster._serdes import ConfigurableClass
from dagster._serdes.config_class import ConfigurableClassData
from dagster._utils.hosted_user_process import recon_job_from_origin

from orchestration.instance import PROCESS_TAG, keep_connections, process_of, process_tag
from orchestration.postmaster import is_alive


class WarmRunLauncher(RunLauncher, ConfigurableClass):
    """Starts each run in a fork of a process that has everything imported; that one starts with the first run."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        super().__init__()  # type: ignore[no-untyped-call]

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """See `ConfigurableClass`."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> UserConfigSchema:
        """Nothing can be set."""
        return {}

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "WarmRunLauncher":
        """See `ConfigurableClass`."""
        return cls(inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """See `RunLauncher`."""
        run = context.dagster_run
        process = _forks().Process(target=execute, args=(self._instance.get_ref(), run.run_id), name=run.job_name)
        process.start()
        self._instance.add_run_tags(run.run_id, {PROCESS_TAG: process_tag(process.pid or 0)})
        Thread(target=self._settle, args=(process, run.run_id), daemon=True).start()

    def terminate(self, run_id: str) -> bool:
        """Interrupt the run's process, as Ctrl-C does; whether there was one."""
        run = self._instance.get_run_by_id(run_id)
        process_id = None if run is None else process_of(run.tags.get(PROCESS_TAG))
        if run is None or run.is_finished or process_id is None:
            return False
        self._instance.report_run_canceling(run)
        with suppress(ProcessLookupError):
            os.kill(process_id, signal.SIGINT)
        return True

    @property
    def supports_check_run_worker_health(self) -> bool:
        """See `RunLauncher`."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Whether a run's process lives: nobody waits for those of the command line or of a daemon that is no more."""
        process_id = process_of(run.tags.get(PROCESS_TAG))
        lives = process_id is None or is_alive(process_id)
        return CheckRunHealthResult(WorkerStatus.RUNNING if lives else WorkerStatus.NOT_FOUND)

    def _settle(self, process: BaseProcess, run_id: str) -> None:
        """A process that ended without a word, killed say, is a failed run: the next one would wait for it for ever."""
        process.join()
        run = self._instance.get_run_by_id(run_id)
        if run is not None and not run.is_finished:
            self._instance.report_run_failed(run, f"the run's process ended with {process.exitcode} before the run did")


@cache
def _forks() -> ForkServerContext:
    context = get_context("forkserver")
    context.set_forkserver_preload(["orchestration.warm_imports"])
    return context


def execute(reference: InstanceRef, run_id: str) -> None:
    """One run, in this process.

    Args:
        reference: of the instance whose run it is.
        run_id: a run that was created and not started.
    """
    with DagsterInstance.from_ref(reference) as instance:
        keep_connections(instance)
        run = instance.get_run_by_id(run_id)
        if run is None or run.job_code_origin is None:
            raise LookupError(f"run {run_id} is not one of this product's: delete it in the UI")
        for _ in execute_run_iterator(recon_job_from_origin(run.job_code_origin), run, instance):
            pass
