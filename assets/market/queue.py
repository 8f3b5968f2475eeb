"""What becomes of a backfill job: who is asked for its next page, and what an answer or a fault does to it.

Belongs here: decisions, as functions of what they are given. Must not be here: SQL (store.py), requests (worker.py),
clocks. A job moves from page to page; at each page every source that may have it is asked in turn before the page
counts as empty, and a source that cannot serve the job is given up with its reason kept.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from assets.market.model import (
    Fetched,
    FetchReport,
    Instrument,
    MarketSource,
    Outcome,
    Resolution,
    SourceSymbol,
    Window,
)
from assets.market.symbols import asset_class_of
from assets.network.errors import Kind

#: Tries of one page at one source before the next source is asked.
MOST_ATTEMPTS = 5
#: A lease outlives the longest question (four tries of 20 s within 60 s, sources/patient_hosts.py) and its landing.
LEASE = timedelta(minutes=5)
_BACKOFF_SECONDS, _LONGEST_BACKOFF_SECONDS = 15.0, 3_600.0
NO_SOURCE = "no_source"


class Status(StrEnum):
    """Of a job."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A source that has a symbol for the instrument, in the order in which they are asked.

    Attributes:
        keeps_since: the oldest bar that it still has; None = no known end.
    """

    source: str
    symbol: SourceSymbol
    keeps_since: datetime | None


@dataclass(frozen=True, slots=True)
class Job:
    """A claimed job, and what the database knows of it.

    Attributes:
        attempts: at this page of this source, this one included.
        given_up: sources that cannot serve this job.
        empty_at: sources that have nothing for this page.
        look_again_until: the page had gaps and is asked for once more, up to here.
    """

    id: int
    instrument_id: str
    source: str | None
    resolution: Resolution
    window: Window
    cursor: datetime
    attempts: int = 1
    given_up: tuple[str, ...] = ()
    empty_at: tuple[str, ...] = ()
    look_again_until: datetime | None = None

    @property
    def rest(self) -> Window:
        """What the next page is cut from."""
        return Window(self.cursor, self.look_again_until or self.window.end)


@dataclass(frozen=True, slots=True)
class Step:
    """What a job is after an answer.

    Attributes:
        delay_seconds: it is not tried before.
        error: the last fault in our own words; None: there is none to tell.
    """

    status: Status
    source: str | None
    cursor: datetime
    attempts: int = 0
    delay_seconds: float = 0.0
    given_up: tuple[str, ...] = ()
    empty_at: tuple[str, ...] = ()
    look_again_until: datetime | None = None
    error: str | None = None
    error_kind: str | None = None


def candidates(
    instrument: Instrument,
    sources: Mapping[str, MarketSource],
    order: Sequence[str],
    resolution: Resolution,
    now: datetime,
) -> list[Candidate]:
    """The sources that have prices of its class and a symbol for it, in the order in which they are asked.

    Args:
        instrument: what is priced.
        sources: those that may be asked.
        order: the owner's order; sources that it does not name come after those that it does.
        resolution: of the bars.
        now: the clock, UTC.
    """
    names = [*(name for name in order if name in sources), *(name for name in sources if name not in order)]
    found = []
    for name in names:
        source = sources[name]
        if asset_class_of(instrument) in source.asset_classes and (symbol := source.symbol_of(instrument)) is not None:
            found.append(Candidate(name, symbol, source.keeps_since(resolution, now)))
    return found


def route(
    candidates: Sequence[Candidate], cursor: datetime, given_up: Sequence[str] = (), empty_at: Sequence[str] = ()
) -> str | None:
    """Who is asked for the page at the cursor: the first that still has it, else the one that reaches back furthest.

    Returns:
        A name; None where everyone was asked.
    """
    left = [one for one in candidates if one.source not in given_up and one.source not in empty_at]
    reaching = [one for one in left if one.keeps_since is None or one.keeps_since <= cursor]
    if reaching:
        return reaching[0].source
    return min(left, key=lambda one: one.keeps_since or cursor).source if left else None


def after(
    job: Job, page: Window | None, report: FetchReport | None, candidates: Sequence[Candidate], jitter: float
) -> Step:
    """What an answer makes of a job.

    Args:
        job: as it was claimed.
        page: what was asked for; None: the source has no page of the rest and nothing was asked.
        report: the answer's; None with `page` None.
        candidates: all sources of the instrument.
        jitter: in [0, 1), for full jitter.
    """
    if page is None or report is None or report.outcome is Outcome.EMPTY:
        return _empty(job, page, candidates)
    if not report.is_answered:
        return _failed(job, report, candidates, jitter)
    if report.outcome is Outcome.GAPS and job.look_again_until is None and report.gaps and report.requests:
        # nobody traded, or one answer was short: a second look at the same page tells them apart
        return _next(replace(job, look_again_until=page.end), report.gaps[0].start, candidates)
    return _next(replace(job, look_again_until=None), job.look_again_until or page.end, candidates)


def _next(job: Job, cursor: datetime, candidates: Sequence[Candidate]) -> Step:
    """The job at its next page; another page may be had of those that had nothing for this one."""
    cursor = min(max(cursor, job.cursor), job.window.end)
    if cursor >= job.window.end:
        return Step(Status.DONE, job.source, job.window.end, given_up=job.given_up)
    source = job.source if job.look_again_until else route(candidates, cursor, job.given_up)
    return Step(
        Status.QUEUED, source, cursor, given_up=job.given_up, look_again_until=job.look_again_until
    )  # fmt: skip


def _empty(job: Job, page: Window | None, candidates: Sequence[Candidate]) -> Step:
    """Nothing here: the next source is asked for the same page, and the job goes on when no one has it."""
    empty_at = (*job.empty_at, *([job.source] if job.source else []))
    source = None if job.look_again_until else route(candidates, job.cursor, job.given_up, empty_at)
    if source is None:
        end = job.look_again_until or (page.end if page else job.window.end)
        return _next(replace(job, look_again_until=None), end, candidates)
    return Step(Status.QUEUED, source, job.cursor, given_up=job.given_up, empty_at=empty_at)


def _failed(job: Job, report: FetchReport, candidates: Sequence[Candidate], jitter: float) -> Step:
    failure = report.failure
    kind = failure.kind if failure else Kind.SERVER
    error = f"{report.source}: {failure.message if failure else 'no answer'}"
    is_asked = report.requests > 0
    may_return = failure is None or failure.is_retryable_here
    if may_return and (job.attempts < MOST_ATTEMPTS or not is_asked):
        # a host that was left alone because it had asked for it has not failed once more
        attempts = job.attempts if is_asked else job.attempts - 1
        longest = min(_BACKOFF_SECONDS * 2 ** max(attempts - 1, 0), _LONGEST_BACKOFF_SECONDS)
        wanted = failure.retry_after_seconds if failure else None
        delay = jitter * longest if wanted is None else wanted + jitter
        return Step(
            Status.QUEUED, job.source, job.cursor, attempts, delay, job.given_up, job.empty_at, job.look_again_until,
            error, str(kind),
        )  # fmt: skip
    given_up = (*job.given_up, *([job.source] if job.source else []))
    source = route(candidates, job.cursor, given_up, job.empty_at)
    if source is None and job.empty_at:
        # those that answered have nothing here; what the one that failed has is not known, so the job is not done
        source = None
    status = Status.QUEUED if source else Status.FAILED
    return Step(status, source, job.cursor, given_up=given_up, empty_at=job.empty_at, error=error, error_kind=str(kind))


def is_last_page(job: Job, page: Window) -> bool:
    """Whether nothing is left of the job once the page is in."""
    return (job.look_again_until or page.end) >= job.window.end


def as_page(fetched: Fetched[object], job: Job) -> str:
    """One line for logs."""
    report = fetched.report
    return f"{job.instrument_id} of {report.source}: {report.outcome}, {report.rows} rows"
