"""One run of a Dagster job in this process, and what became of it in a form that scripts can read."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable
from contextlib import nullcontext
from datetime import datetime
from typing import TYPE_CHECKING, Any

from assets.publication.runs import engine_version
from assets.warehouse.database import Connection, connect, has_relation, redact
from orchestration.automation import DAILY_JOB, run_config
from orchestration.instance import PROCESS_TAG, open_instance, process_tag
from orchestration.outcome import Outcome, rejected, summary
from orchestration.resources import PROGRESS_VARIABLE
from orchestration.settings import Settings, pass_on

if TYPE_CHECKING:
    from dagster import DagsterInstance


#: The class of an error of ours before its message, which says all by itself.
_OWN_KIND = re.compile(r"\A(?:assets|orchestration|quality)\.[\w.]+: ")


def run_pipeline(
    settings: Settings,
    url: str,
    inputs: str | None,
    as_of: str | None,
    *,
    is_watched: bool,
    instance: DagsterInstance | None = None,
) -> Outcome:
    """Run the job `daily_portfolio` over an inputs folder.

    Args:
        settings: The process settings.
        url: The database.
        inputs: The folder; None: the one of HOLDFAST_INPUTS, else the registry as an application wrote it.
        as_of: The moment to describe; None: now.
        is_watched: Whether progress goes to standard error.
        instance: Dagster's instance; None: the one in the database, so that the UI shows the run.
    """
    pass_on(settings)
    os.environ[PROGRESS_VARIABLE] = "1" if is_watched else "0"
    from assets.warehouse import dbt
    from orchestration.definitions import build_definitions

    dbt.prepare()  # after an update the models parsed before are other ones
    logging.getLogger("dagster").setLevel(logging.CRITICAL)
    # of a run without anything new it would say that each skipped check has no result
    logging.getLogger("dagster._core.execution.plan.active").setLevel(logging.ERROR)
    job = build_definitions().resolve_job_def(DAILY_JOB)
    with nullcontext(instance) if instance else open_instance(settings, url) as opened:
        result = job.execute_in_process(
            run_config={
                **run_config(inputs=inputs, as_of=as_of),
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
            },
            instance=opened,
            raise_on_error=False,
            tags={"holdfast/engine": engine_version()[:12], PROCESS_TAG: process_tag(os.getpid())},
        )
    failures: list[Any] = [event.step_failure_data for event in result.all_events if event.is_step_failure]
    # a resource that cannot start fails the run without any step
    failures = failures or [event.job_failure_data for event in result.all_events if event.is_job_failure]
    with connect(url) as conn:
        return _outcome(conn, result.run_id, failures)


def _outcome(conn: Connection, run_id: str, failures: Iterable[Any]) -> Outcome:
    refused = [f for f in failures if _metadata(f).get("kind") == "rejected"]
    if refused:
        return rejected(_problems(refused[0]))
    row = None
    if has_relation(conn, "ops.runs"):
        row = conn.execute("select status, as_of, summary from ops.runs where run_id = %s", [run_id]).fetchone()
    if row is None:
        return Outcome(summary("failed"), tuple(_errors(failures)))
    status, as_of, details = row
    failed = conn.execute(
        "select check_name, coalesce(portfolio_id, 'the run'), coalesce(first_offenders, ''), next_step"
        " from quality.check_results where run_id = %s and not passed and severity = 'error' order by result_id",
        [run_id],
    ).fetchall()
    changed = int((details or {}).get("changed_rows", 0))
    messages = [
        f"{name} held {who}: {offenders.partition(chr(10))[0]} -> {step}" for name, who, offenders, step in failed
    ]
    if status == "failed":
        messages.extend(_errors(failures))
    names = sorted({name for name, *_ in failed})
    return Outcome(_summary(conn, run_id, status, as_of, names, changed), tuple(messages))


def _summary(
    conn: Connection, run_id: str, status: str, as_of: datetime, failed_checks: list[str], changed_rows: int
) -> dict[str, Any]:
    is_visible = status in {"published", "unchanged"}
    publication = portfolios = None
    if is_visible:
        publication = conn.execute("select max(publication_id) from ops.publications").fetchone()
        portfolios = conn.execute("select count(*) from marts.portfolios where is_active and not is_held").fetchone()
    if status == "unchanged":
        held = conn.execute("select portfolio_id from marts.portfolios where is_held order by 1").fetchall()
    else:
        held = conn.execute("select portfolio_id from ops.held_portfolios order by 1").fetchall()
    return summary(
        status,
        publication_id=publication[0] if publication else None,
        as_of=as_of,
        portfolios=portfolios[0] if portfolios else 0,
        held_portfolios=[row[0] for row in held],
        failed_checks=failed_checks,
        changed_rows=changed_rows,
    )


def _metadata(failure: Any) -> dict[str, Any]:
    data = getattr(failure, "user_failure_data", None)
    if data is None:
        return {}
    return {key: value.value for key, value in (data.metadata or {}).items()}


def _problems(failure: Any) -> list[str]:
    text = str(_metadata(failure).get("problems", ""))
    listed = [line.removeprefix("- ") for line in text.splitlines() if line.strip()]
    return [str(failure.user_failure_data.description), *listed]


def _errors(failures: Iterable[Any]) -> list[str]:
    messages = []
    for failure in failures:
        error, description = failure.error, None
        if getattr(failure, "user_failure_data", None) is not None:
            description = failure.user_failure_data.description
        while error is not None and error.cause is not None:
            error = error.cause
        if error is not None and error.cls_name == "DagsterExecutionInterruptedError":
            description = "interrupted: nothing of this run is published; the next run begins anew"
        told = " ".join(error.message.split())[:600] if error else "unknown failure"
        messages.append(redact(description or _OWN_KIND.sub("", told)))
    return messages
