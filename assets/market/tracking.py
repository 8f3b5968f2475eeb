"""Which instruments are followed, since when, and which part of their history is to be asked for next.

Belongs here: the rules and their numbers; `track` applies them to the database through store.py. Must not be here: SQL,
requests, what becomes of a job (queue.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from assets.market import jobs, needs, store
from assets.market.candles import floor_to
from assets.market.model import MarketSource, Window
from assets.market.queue import NO_SOURCE, Status, candidates, route
from assets.market.second_look import second_looks
from assets.market.symbols import asset_class_of
from assets.warehouse.database import Connection

#: Returns and risk need a year, also of what was bought yesterday.
LOOKBACK = timedelta(days=365)
#: Sources correct their newest bars; so many are asked for once more.
OVERLAP_BARS = 3
#: Money that moves on a week-end has the rate of the Friday before it.
LEAD = timedelta(days=5)
_NEVER_CLOSED = frozenset({"crypto", "token"})
REFRESH_EVERY = timedelta(minutes=15)
PAUSE_AFTER = timedelta(days=7)
KEEP_FINISHED = timedelta(days=30)
#: An instrument whose job failed is tried again.
RETRY_FAILED = timedelta(hours=24)
#: A cross rate has two ends: one source tells euros in dollars, another dollars in euros.
_IMPLIED = frozenset({"fiat:USD", "fiat:EUR"})
NO_SOURCE_ERROR = (
    "no source that may be asked has a symbol for it: give ccxt_symbol or yfinance_symbol in instruments.csv, its"
    " prices in prices/*.csv, or allow a source that has it in HOLDFAST_SOURCES"
)


@dataclass(frozen=True, slots=True)
class TrackingResult:
    """What a look at the holdings changed."""

    added: int
    resumed: int
    paused: int
    jobs: int
    without_source: int

    def __str__(self) -> str:
        return (
            f"{self.added} new, {self.resumed} resumed, {self.paused} paused; {self.jobs} jobs"
            + (f", {self.without_source} instruments without a source" if self.without_source else "")
        )  # fmt: skip


def due_window(tracked: store.Tracked, horizon: datetime) -> Window | None:
    """The part of its history to ask for next; None: nothing is missing.

    What lies before the part that is known comes first, then what has closed since, with an overlap.

    Args:
        tracked: the instrument.
        horizon: the end of what is wanted: now, or the as-of of the run.
    """
    step = tracked.resolution.step
    lead = timedelta() if asset_class_of(tracked.instrument) in _NEVER_CLOSED else LEAD
    if not tracked.is_active:
        horizon = min(horizon, tracked.last_held_at + PAUSE_AFTER)
    start, end = floor_to(tracked.first_needed_at - lead, step), floor_to(horizon, step)
    if tracked.asked_from is None or tracked.asked_until is None:
        return Window(start, end) if start < end else None
    if start < tracked.asked_from:
        return Window(start, tracked.asked_from)
    if tracked.asked_until < end:
        return Window(max(tracked.asked_until - OVERLAP_BARS * step, start), end)
    return None


def track(
    conn: Connection, sources: Mapping[str, MarketSource], now: datetime, horizon: datetime | None = None
) -> TrackingResult:
    """Make registry.tracked_instruments say what is held, and queue what is missing of its history.

    Args:
        conn: in a transaction of the caller's.
        sources: those that may be asked.
        now: the clock, UTC.
        horizon: the as-of of a run that describes the past; default now.
    """
    horizon = min(horizon or now, now)
    settings = store.read_price_settings(conn)
    counts = needs.write_needs(conn, settings.resolution, now, horizon - LOOKBACK, PAUSE_AFTER)
    jobs.release_unreachable(conn, list(sources))
    queued, unroutable = [], []
    for tracked in store.read_due(conn, now, NO_SOURCE):
        window = due_window(tracked, horizon)
        if window is None or window.start >= window.end:
            continue
        able = candidates(tracked.instrument, sources, settings.sources, tracked.resolution, now)
        source = route(able, window.start)
        if source is not None:
            queued.append(jobs.NewJob(tracked.instrument.id, source, tracked.resolution, window, Status.QUEUED))
        elif tracked.instrument.id not in _IMPLIED:
            unroutable.append(
                jobs.NewJob(
                    tracked.instrument.id, None, tracked.resolution, window, Status.FAILED, NO_SOURCE_ERROR, NO_SOURCE
                )
            )
    jobs.write_jobs(conn, [*queued, *unroutable], now, now + RETRY_FAILED)
    # an instrument whose history is still being asked for has its turn when that is done
    looks = jobs.write_jobs(conn, second_looks(conn, sources, settings.sources, now), now, now + RETRY_FAILED)
    jobs.delete_finished(conn, now - KEEP_FINISHED)
    return TrackingResult(counts.added, counts.resumed, counts.paused, len(queued) + looks, len(unroutable))
