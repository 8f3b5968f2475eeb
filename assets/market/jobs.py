"""SQL of the queue: registry.backfill_jobs, leased with `for update skip locked`.

Belongs here: writing, claiming, moving on and ending jobs. Must not be here: what becomes of a job (queue.py). Leases
and next tries are counted by the database's clock, which all workers share.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from assets.market.model import Instrument, Resolution, Window
from assets.market.queue import Job, Status, Step
from assets.market.store import INSTRUMENT
from assets.warehouse.database import LOCK_CLASS, PIPELINE_LOCK, Connection


@dataclass(frozen=True, slots=True)
class NewJob:
    """A job as it is written; `error` and `error_kind` say why one fails at once.

    Attributes:
        given_up: sources that are not asked.
        is_second_look: it asks another source about prices that are held; what is known of the history is not moved.
    """

    instrument_id: str
    source: str | None
    resolution: Resolution
    window: Window
    status: Status
    error: str | None = None
    error_kind: str | None = None
    given_up: tuple[str, ...] = ()
    is_second_look: bool = False


def write_jobs(conn: Connection, jobs: Sequence[NewJob], now: datetime, retry_at: datetime) -> int:
    """Queue jobs; one that nobody can serve is written as failed, in place of the one that said so before."""
    if not jobs:
        return 0
    failed = [job.instrument_id for job in jobs if job.status is Status.FAILED]
    conn.execute(
        "delete from registry.backfill_jobs where instrument_id = any(%s) and status = 'failed' and source is null",
        [[job.instrument_id for job in jobs if not job.is_second_look]],
    )
    conn.execute(
        "update registry.tracked_instruments set next_job_at = %s where instrument_id = any(%s)", [retry_at, failed]
    )
    return conn.execute(
        """
        insert into registry.backfill_jobs
            (instrument_id, source, resolution, window_start, window_end, page_cursor, status, error, error_kind,
             given_up, is_second_look, finished_at)
        select
            instrument_id, source, resolution, window_start, window_end, window_start, status, error, error_kind,
            string_to_array(given_up, ' '), is_second_look, case when status = 'failed' then %s::timestamptz end
        from unnest(%s::text[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[], %s::text[], %s::text[],
                    %s::text[], %s::text[], %s::boolean[])
            as new (instrument_id, source, resolution, window_start, window_end, status, error, error_kind, given_up,
                    is_second_look)
        on conflict (instrument_id) where status in ('queued', 'running', 'paused') do nothing
        """,
        [
            now,
            [job.instrument_id for job in jobs],
            [job.source for job in jobs],
            [job.resolution for job in jobs],
            [job.window.start for job in jobs],
            [job.window.end for job in jobs],
            [job.status for job in jobs],
            [job.error for job in jobs],
            [job.error_kind for job in jobs],
            [" ".join(job.given_up) for job in jobs],
            [job.is_second_look for job in jobs],
        ],
    ).rowcount


def release_unreachable(conn: Connection, sources: Sequence[str]) -> None:
    """End queued jobs of sources that may be asked no more; what they landed stays, the rest is queued anew."""
    conn.execute(
        """
        with ended as (
            update registry.backfill_jobs
            set status = 'failed', finished_at = clock_timestamp(), error_kind = 'not_allowed',
                error = source || ' may not be asked any more (HOLDFAST_SOURCES)'
            where status = 'queued' and source <> all(%s)
            returning instrument_id, window_start, page_cursor, is_second_look
        )
        update registry.tracked_instruments as tracked
        set
            asked_from = case when ended.window_start <= coalesce(tracked.asked_until, ended.window_start)
                then coalesce(tracked.asked_from, ended.window_start) else tracked.asked_from end,
            asked_until = case when ended.window_start <= coalesce(tracked.asked_until, ended.window_start)
                then greatest(tracked.asked_until, ended.page_cursor) else tracked.asked_until end
        from ended
        where tracked.instrument_id = ended.instrument_id and ended.page_cursor > ended.window_start
            and not ended.is_second_look
        """,
        [list(sources)],
    )


def delete_finished(conn: Connection, before: datetime) -> int:
    """Delete jobs that ended, and log rows that were written, before then; returns how many jobs."""
    conn.execute("delete from ops.fetch_log where fetched_at < %s", [before])
    return conn.execute("delete from registry.backfill_jobs where finished_at < %s", [before]).rowcount


def may_land(conn: Connection) -> bool:
    """Whether no run holds the pipeline; if so none begins to write before the caller's transaction has ended."""
    row = conn.execute(
        "select pg_try_advisory_xact_lock_shared(%s, %s)", [LOCK_CLASS, PIPELINE_LOCK]
    ).fetchone()  # fmt: skip
    return bool(row and row[0])


def claim(
    conn: Connection, worker: str, source: str, limit: int, lease: timedelta, instruments: Sequence[str] | None = None
) -> list[tuple[Job, Instrument]]:
    """Take jobs that are due, and those whose worker's lease has ended; nobody else gets them meanwhile.

    Args:
        conn: in a transaction of the caller's, to be committed before the source is asked.
        worker: the claimant's name.
        source: who would be asked.
        limit: at most so many.
        lease: until when they are the claimant's.
        instruments: only theirs; None = all.
    """
    rows = conn.execute(
        f"""
        with due as (
            select id from registry.backfill_jobs
            where
                source = %(source)s
                and ((status = 'queued' and next_try_at <= clock_timestamp())
                    or (status = 'running' and leased_until < clock_timestamp()))
                and (%(instruments)s::text[] is null or instrument_id = any(%(instruments)s))
            order by next_try_at, id
            limit %(limit)s
            for update skip locked
        ),
        claimed as (
            update registry.backfill_jobs as jobs
            set status = 'running', worker = %(worker)s, leased_until = clock_timestamp() + %(lease)s,
                attempts = jobs.attempts + 1
            from due where jobs.id = due.id
            returning jobs.*
        )
        select
            jobs.id, jobs.instrument_id, jobs.source, jobs.resolution, jobs.window_start, jobs.window_end,
            jobs.page_cursor, jobs.attempts, jobs.given_up, jobs.empty_at, jobs.look_again_until, {INSTRUMENT}
        from claimed as jobs left join registry.instruments as custom on jobs.instrument_id = custom.instrument
        order by jobs.next_try_at, jobs.id
        """.encode(),
        {"source": source, "worker": worker, "limit": limit, "lease": lease,
         "instruments": None if instruments is None else list(instruments)},
    )  # fmt: skip
    return [
        (
            Job(
                row[0], row[1], row[2], Resolution(row[3]), Window(row[4], row[5]), row[6], row[7], tuple(row[8]),
                tuple(row[9]), row[10],
            ),
            Instrument(row[1], *row[11:18]),
        )
        for row in rows
    ]  # fmt: skip


def renew(conn: Connection, worker: str, jobs: Iterable[int], lease: timedelta) -> None:
    """Lengthen the leases of jobs that the worker still has."""
    conn.execute(
        "update registry.backfill_jobs set leased_until = clock_timestamp() + %s"
        " where id = any(%s) and worker = %s and status = 'running'",
        [lease, list(jobs), worker],
    )


def release(conn: Connection, worker: str) -> None:
    """Give back what the worker has, as if it had never been claimed: it ends before it was answered."""
    conn.execute(
        "update registry.backfill_jobs set status = 'queued', worker = null, leased_until = null,"
        " attempts = greatest(attempts - 1, 0) where worker = %s and status = 'running'",
        [worker],
    )


def advance(conn: Connection, worker: str, steps: Sequence[tuple[Job, Step, int]], retry_at: datetime) -> set[int]:
    """Move jobs on, in the transaction that lands their pages.

    Args:
        conn: in that transaction.
        worker: who claimed them.
        steps: job, what becomes of it, and how many rows its page brought.
        retry_at: when an instrument whose job failed is looked at again.

    Returns:
        The jobs that were still the worker's. What others brought must not be landed: another worker has the page.
    """
    rows = conn.execute(
        """
        with steps as (
            select * from unnest(
                %(id)s::bigint[], %(status)s::text[], %(source)s::text[], %(cursor)s::timestamptz[],
                %(attempts)s::int[], %(delay)s::float8[], %(again)s::timestamptz[], %(error)s::text[], %(kind)s::text[],
                %(given_up)s::text[], %(empty_at)s::text[], %(rows)s::int[]
            ) as new (id, status, source, page_cursor, attempts, delay, again, error, kind, given_up, empty_at, landed)
        ),
        moved as (
            update registry.backfill_jobs as jobs
            set status = steps.status, source = coalesce(steps.source, jobs.source), page_cursor = steps.page_cursor,
                attempts = steps.attempts, next_try_at = clock_timestamp() + make_interval(secs => steps.delay),
                look_again_until = steps.again, error = steps.error, error_kind = steps.kind,
                given_up = string_to_array(steps.given_up, ' '), empty_at = string_to_array(steps.empty_at, ' '),
                landed_rows = jobs.landed_rows + steps.landed, worker = null, leased_until = null,
                finished_at = case when steps.status in ('done', 'failed') then clock_timestamp() end
            from steps
            where jobs.id = steps.id and jobs.worker = %(worker)s and jobs.status = 'running'
            returning jobs.id, jobs.instrument_id, jobs.status, jobs.window_start, jobs.page_cursor, jobs.resolution,
                jobs.is_second_look
        ),
        -- what has been asked for without a hole; a failed job's part counts where it joins the rest
        ended as (
            update registry.tracked_instruments as tracked
            set
                asked_from = case when moved.status = 'done' or joins.here
                    then least(tracked.asked_from, moved.window_start) else tracked.asked_from end,
                asked_until = case when moved.status = 'done' or joins.here
                    then greatest(tracked.asked_until, moved.page_cursor) else tracked.asked_until end,
                next_job_at = case
                    when moved.status = 'failed' then %(retry_at)s
                    else greatest(tracked.asked_until, moved.page_cursor) + case moved.resolution
                        when '1m' then interval '1 minute' when '5m' then interval '5 minutes'
                        when '15m' then interval '15 minutes' when '1h' then interval '1 hour'
                        else interval '1 day' end
                end
            from moved
            cross join lateral (
                select moved.page_cursor > moved.window_start and exists (
                    select from registry.tracked_instruments as own
                    where own.instrument_id = moved.instrument_id
                        and (own.asked_until is null
                            or (moved.window_start >= own.asked_from and moved.window_start <= own.asked_until))
                ) as here
            ) as joins
            where tracked.instrument_id = moved.instrument_id and moved.status in ('done', 'failed')
                and not moved.is_second_look
        )
        select id from moved
        """,
        {
            "worker": worker,
            "retry_at": retry_at,
            "id": [job.id for job, _, _ in steps],
            "status": [step.status for _, step, _ in steps],
            "source": [step.source for _, step, _ in steps],
            "cursor": [step.cursor for _, step, _ in steps],
            "attempts": [step.attempts for _, step, _ in steps],
            "delay": [step.delay_seconds for _, step, _ in steps],
            "again": [step.look_again_until for _, step, _ in steps],
            "error": [step.error for _, step, _ in steps],
            "kind": [step.error_kind for _, step, _ in steps],
            "given_up": [" ".join(step.given_up) for _, step, _ in steps],
            "empty_at": [" ".join(step.empty_at) for _, step, _ in steps],
            "rows": [rows for _, _, rows in steps],
        },
    ).fetchall()
    return {row[0] for row in rows}


def next_try_in(conn: Connection, sources: Sequence[str]) -> float | None:
    """Seconds until the next job of these sources can be claimed; None: there is none."""
    row = conn.execute(
        "select extract(epoch from min(case status when 'queued' then next_try_at else leased_until end)"
        " - clock_timestamp())::float8 from registry.backfill_jobs"
        " where status in ('queued', 'running') and source = any(%s)",
        [list(sources)],
    ).fetchone()
    return None if row is None or row[0] is None else max(row[0], 0.0)
