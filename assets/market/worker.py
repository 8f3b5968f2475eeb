"""Works the queue: claims pages, asks sources, lands what came together with the job's next state.

Belongs here: the order of claiming, asking and landing; time budget. Must not be here: SQL (store.py, landing.py),
decisions about a job (queue.py), settings. A page is in the database, and its job behind it, or neither: a process
that is killed loses the pages that it was being answered, one for each of its jobs, and their leases end by themselves.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from assets.market import jobs, landing, store
from assets.market.model import (
    Action,
    Bar,
    Fetched,
    FetchReport,
    Instrument,
    MarketSource,
    Window,
)
from assets.market.queue import LEASE, Candidate, Job, Status, after, candidates, is_last_page
from assets.market.symbols import asset_class_of
from assets.market.tracking import RETRY_FAILED
from assets.market.working import WAIT_SECONDS, Worked, defect, write_between_runs
from assets.network.budget import Clock, Deadline
from assets.warehouse.database import Connection

#: Jobs of one source that are asked for at once; its budget paces the requests.
LANES = 8
_HAVE_ACTIONS = frozenset({"equity", "etf"})


@dataclass(frozen=True, slots=True)
class _Answer:
    """What came of one page."""

    job: Job
    page: Window | None
    fetched: Fetched[Bar] | None
    actions: tuple[Action, ...]
    reports: tuple[FetchReport, ...]
    able: list[Candidate]


class Worker:
    """One process's way through the queue.

    Args:
        connect: opens a connection in a transaction; leaving its `with` block commits.
        sources: those that may be asked, entered by the caller.
        name: of this worker among all workers; leases carry it.
        now: the wall clock, UTC: what has closed.
        clock: seconds that only grow.
        random: for jitter.
        holds_pipeline: the caller's run alone writes; others wait for runs to end before they land.
        run_id: written beside batches and log rows.
        lease: how long a claim lasts.
    """

    def __init__(
        self,
        conn: Connection,
        sources: Mapping[str, MarketSource],
        name: str,
        now: Callable[[], datetime],
        clock: Clock,
        random: Random,
        *,
        holds_pipeline: bool = False,
        run_id: str | None = None,
        lease: timedelta = LEASE,
        lanes: int = LANES,
    ) -> None:
        self._conn, self._sources, self._name = conn, sources, name
        self._now, self._clock, self._random = now, clock, random
        self._holds_pipeline, self._run_id, self._lease, self._lanes = holds_pipeline, run_id, lease, lanes
        with conn.transaction():
            self._order = store.read_price_settings(conn).sources

    async def work(self, seconds: float, *, is_patient: bool = False) -> Worked:
        """Work until nothing is due or the time is over; what is being asked then is given back.

        Args:
            seconds: the time.
            is_patient: wait for what is due later within the time, such as a second try.
        """
        deadline, worked = Deadline(self._clock, seconds), Worked()
        asked: dict[asyncio.Task[_Answer], Job] = {}
        try:
            while deadline.remaining() > 0:
                for job, instrument in self._claim(asked.values()):
                    asked[asyncio.create_task(self._ask(job, instrument))] = job
                if not asked:
                    wait = self._wait_seconds()
                    if wait is None or wait >= deadline.remaining() or (wait > WAIT_SECONDS and not is_patient):
                        break
                    await asyncio.sleep(max(wait, 0.05))
                    continue
                done, _ = await asyncio.wait(
                    asked, timeout=min(deadline.remaining(), WAIT_SECONDS), return_when=asyncio.FIRST_COMPLETED
                )
                # all that has come lands in one transaction, each page with its job
                if done:
                    answers = [task.result() for task in done]
                    await self._land(answers, list(asked.values()), worked)
                    for task in done:
                        del asked[task]
        finally:
            for task in asked:
                task.cancel()
            await asyncio.gather(*asked, return_exceptions=True)
            with self._conn.transaction():
                jobs.release(self._conn, self._name)
        return worked

    def _claim(self, running: Iterable[Job]) -> list[tuple[Job, Instrument]]:
        claimed: list[tuple[Job, Instrument]] = []
        busy = [job.source for job in running]
        with self._conn.transaction():
            if not self._holds_pipeline and not jobs.may_land(self._conn):
                return []  # a run is at work: what came now would have to wait for its end
            for name in self._sources:
                free = self._lanes - busy.count(name)
                if free > 0:
                    claimed += jobs.claim(self._conn, self._name, name, free, self._lease)
        return claimed

    def _wait_seconds(self) -> float | None:
        with self._conn.transaction():
            due = jobs.next_try_in(self._conn, list(self._sources))
            if due == 0.0 and not self._holds_pipeline and not jobs.may_land(self._conn):
                return WAIT_SECONDS
        return due

    async def _ask(self, job: Job, instrument: Instrument) -> _Answer:
        """The next page of a job, and with its last page the corporate actions of its whole window."""
        able = candidates(instrument, self._sources, self._order, job.resolution, self._now())
        own = next((one for one in able if one.source == job.source), None)
        source = self._sources[job.source] if own is not None and job.source else None
        page: Window | None = None
        reports: list[FetchReport] = []
        actions: tuple[Action, ...] = ()
        fetched: Fetched[Bar] | None = None
        try:
            if source is not None and own is not None:
                page = next(iter(source.pages(own.symbol, job.resolution, job.rest, self._now())), None)
                if page is not None:
                    fetched = await source.bars(own.symbol, job.resolution, page)
                    reports.append(fetched.report)
                    if (
                        fetched.report.is_answered
                        and is_last_page(job, page)
                        and asset_class_of(instrument) in _HAVE_ACTIONS
                    ):
                        told = await source.actions(own.symbol, job.window)
                        reports.append(told.report)
                        actions = told.rows
                        if not told.report.is_answered:
                            fetched = Fetched((), told.report)  # the page is asked for again, with its actions
        except Exception as error:
            page = page or job.rest
            report = defect(job.source or "", instrument.id, f"bars {job.resolution}", page, error)
            fetched = Fetched((), report)
            reports.append(report)
        return _Answer(job, page, fetched, actions, tuple(reports), able)

    async def _land(self, answers: Sequence[_Answer], running: Sequence[Job], worked: Worked) -> None:
        steps = [
            (
                one.job,
                after(one.job, one.page, one.fetched.report if one.fetched else None, one.able, self._random.random()),
                len(one.fetched.rows) if one.fetched else 0,
            )
            for one in answers
        ]
        now = self._now()

        def write() -> tuple[set[int], landing.Landed]:
            own = jobs.advance(self._conn, self._name, steps, now + RETRY_FAILED)
            bars = [bar for one in answers if one.job.id in own and one.fetched for bar in one.fetched.rows]
            actions = [action for one in answers if one.job.id in own for action in one.actions]
            landed = landing.land(self._conn, _once(bars), actions, now, self._run_id)
            store.note_currencies(
                self._conn,
                {(one.job.instrument_id, bar.currency) for one in answers if one.fetched for bar in one.fetched.rows},
            )
            store.log_fetches(
                self._conn, [(report, _newest(one, now)) for one in answers for report in one.reports], self._run_id
            )
            return own, landed

        own, landed = await write_between_runs(
            self._conn,
            write,
            holds_pipeline=self._holds_pipeline,
            meanwhile=lambda: jobs.renew(self._conn, self._name, [job.id for job in running], self._lease),
        )
        worked.pages += len(own)
        worked.lost += len(steps) - len(own)
        worked.rows += landed.changed
        worked.requests += sum(report.requests for one in answers for report in one.reports)
        worked.done += sum(step.status is Status.DONE for job, step, _ in steps if job.id in own)
        worked.failed += sum(step.status is Status.FAILED for job, step, _ in steps if job.id in own)


def _once(bars: Iterable[Bar]) -> list[Bar]:
    """One row an instant: the ECB's euro comes with every currency's job, each time with the same numbers."""
    return list(
        {(bar.instrument_id, bar.source, bar.resolution, bar.opened_at, bar.currency): bar for bar in bars}.values()
    )


def _newest(answer: _Answer, now: datetime) -> datetime | None:
    """The newest close that came."""
    if answer.fetched is None or not answer.fetched.rows:
        return None
    newest = answer.fetched.rows[-1]
    return min(newest.priced_at or newest.opened_at + newest.resolution.step, now)
