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
from typing import TypeVar

from assets.market import jobs, landing, store
from assets.market.model import (
    Action,
    Bar,
    Fetched,
    FetchReport,
    Instrument,
    MarketSource,
    Outcome,
    Price,
    SourceSymbol,
    Window,
)
from assets.market.queue import LEASE, Candidate, Job, Status, after, is_last_page
from assets.market.symbols import asset_class_of
from assets.market.tracking import REFRESH_EVERY, RETRY_FAILED, candidates
from assets.network.budget import Clock, Deadline
from assets.network.errors import Failure, Kind
from assets.warehouse.database import Connection

T = TypeVar("T")

#: Jobs of one source that are asked for at once; its budget paces the requests.
LANES = 8
_WAIT_SECONDS = 1.0
#: A schedule is never on time to the second.
_EARLY = timedelta(minutes=1)
_HAVE_ACTIONS = frozenset({"equity", "etf"})


@dataclass(slots=True)
class Worked:
    """What a stretch of work did."""

    pages: int = 0
    rows: int = 0
    requests: int = 0
    done: int = 0
    failed: int = 0
    lost: int = 0
    prices: int = 0

    def __str__(self) -> str:
        return (
            f"{self.pages} pages, {self.rows:,} new or corrected rows, {self.requests} requests; {self.done} jobs done,"
            f" {self.failed} failed; {self.prices} latest prices"
        )


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
                    if wait is None or wait >= deadline.remaining() or (wait > _WAIT_SECONDS and not is_patient):
                        break
                    await asyncio.sleep(max(wait, 0.05))
                    continue
                done, _ = await asyncio.wait(
                    asked, timeout=min(deadline.remaining(), _WAIT_SECONDS), return_when=asyncio.FIRST_COMPLETED
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

    async def refresh(self, seconds: float) -> Worked:
        """Ask for the latest price of everything that is followed and due, in each one's own order of sources."""
        worked = Worked()
        with self._conn.transaction():
            due = store.read_refreshable(self._conn, self._now(), REFRESH_EVERY - _EARLY)
        if not due or seconds <= 0:
            return worked
        able = {
            one.instrument.id: candidates(one.instrument, self._sources, self._order, one.resolution, self._now())
            for one in due
        }
        try:
            async with asyncio.timeout(seconds):
                await self._refresh(able, worked)
        except TimeoutError:
            pass  # those that are left waited longest, and are first next time
        return worked

    async def _refresh(self, able: dict[str, list[Candidate]], worked: Worked) -> None:
        """Rounds: whom the first source could not price, the next one is asked for."""
        while any(able.values()):
            turns: dict[str, dict[SourceSymbol, str]] = {}
            for instrument, sources in able.items():
                if sources:
                    turns.setdefault(sources[0].source, {})[sources[0].symbol] = instrument
            tasks = {
                asyncio.create_task(self._latest(self._sources[name], list(symbols))): name
                for name, symbols in turns.items()
            }
            try:
                for task in asyncio.as_completed(tasks):
                    name, prices, reports = await task
                    await self._land_prices(prices, reports, worked)
                    priced: set[tuple[str, str | None]] = {(one.instrument_id, one.currency) for one in prices}
                    # of some sources the answer tells the currency
                    priced |= {(one.instrument_id, None) for one in prices}
                    found = [
                        instrument
                        for symbol, instrument in turns[name].items()
                        if (symbol.instrument_id, symbol.currency) in priced
                    ]
                    for instrument in turns[name].values():
                        able[instrument] = able[instrument][1:]
                    for instrument in found:
                        able[instrument] = []
                    with self._conn.transaction():
                        store.note_refreshed(self._conn, found, self._now())
            finally:
                for task in tasks:
                    task.cancel()

    async def _latest(
        self, source: MarketSource, symbols: Sequence[SourceSymbol]
    ) -> tuple[str, tuple[Price, ...], tuple[FetchReport, ...]]:
        try:
            fetched = await source.latest(symbols)
        except Exception as error:
            return source.name, (), (_defect(source.name, None, "latest", None, error),)
        return source.name, fetched.rows, fetched.reports or (fetched.report,)

    async def _land_prices(self, prices: Sequence[Price], reports: Sequence[FetchReport], worked: Worked) -> None:
        def write() -> landing.Landed:
            landed = landing.land(self._conn, prices, (), self._now(), self._run_id)
            store.note_currencies(self._conn, {(one.instrument_id, one.currency) for one in prices})
            newest = max((one.priced_at for one in prices), default=None)
            store.log_fetches(self._conn, [(report, newest) for report in reports], self._run_id)
            return landed

        landed = await self._write([], write)
        worked.prices += len(prices)
        worked.rows += landed.changed
        worked.requests += sum(report.requests for report in reports)

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
                return _WAIT_SECONDS
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
            report = _defect(job.source or "", instrument.id, f"bars {job.resolution}", page, error)
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

        own, landed = await self._write(running, write)
        worked.pages += len(own)
        worked.lost += len(steps) - len(own)
        worked.rows += landed.changed
        worked.requests += sum(report.requests for one in answers for report in one.reports)
        worked.done += sum(step.status is Status.DONE for job, step, _ in steps if job.id in own)
        worked.failed += sum(step.status is Status.FAILED for job, step, _ in steps if job.id in own)

    async def _write(self, running: Sequence[Job], write: Callable[[], T]) -> T:
        """Write in a transaction in which no run writes; leases are renewed while a run is waited for."""
        while True:
            with self._conn.transaction():
                if self._holds_pipeline or jobs.may_land(self._conn):
                    return write()
                jobs.renew(self._conn, self._name, [job.id for job in running], self._lease)
            await asyncio.sleep(_WAIT_SECONDS)


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


def _defect(source: str, instrument: str | None, asked: str, window: Window | None, error: Exception) -> FetchReport:
    """A fault of our own or of a library: told like a provider's, so that one source never stops the others."""
    failure = Failure.of(Kind.PERMANENT, f"a defect ({type(error).__name__})")
    return FetchReport(source, instrument, asked, window, 1, Outcome.FAILED, failure=failure)
