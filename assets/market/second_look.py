"""Held prices ask a second source by themselves: which, of whom, and for which days.

Belongs here: the SQL of what is held and not yet compared, and the jobs that follow from it. Must not be here: verdicts
(acceptance.py), the queue (jobs.py). Latest prices need no job: the next source is asked at once (latest.py).
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from assets.market.comparing import SAME_ORIGIN
from assets.market.jobs import NewJob
from assets.market.model import Instrument, MarketSource, Resolution, Window
from assets.market.queue import Status, candidates, route
from assets.market.store import INSTRUMENT
from assets.warehouse.database import Connection

#: What another source can confirm or refute; a split or a calendar it cannot.
REASONS = ("outlier", "suspected_unit", "suspected_inverse", "disagreement", "currency_changed")
#: Bars before the first held one and after the last: the second source's own level is seen too.
_BEFORE, _AFTER = 5, 2

# a second source settles a move, a third one settles two that disagree; nobody is asked twice within the time that
# finished jobs are kept. Only what has been asked for already: the first source is still to be asked for the rest.
_HELD = f"""
select
    held.instrument_id, held.resolution, min(held.opened_at), max(held.opened_at), array_agg(distinct told.source),
    tracked.asked_from, tracked.asked_until, {INSTRUMENT}
from raw.bars as held
inner join registry.tracked_instruments as tracked
    on held.instrument_id = tracked.instrument_id and tracked.is_active
        and held.opened_at >= tracked.asked_from and held.opened_at < tracked.asked_until
left join registry.instruments as custom on held.instrument_id = custom.instrument
cross join lateral (
    select every.source, count(*) over () as sources from raw.bars as every
    where every.instrument_id = held.instrument_id and every.resolution = held.resolution
        and every.opened_at = held.opened_at
    group by every.source
) as told
where
    held.status = 'held' and held.resolution <> 'tick' and held.reason = any(%s)
    and told.sources <= case held.reason when 'disagreement' then 2 else 1 end
    and not exists (
        select from registry.backfill_jobs as jobs
        where jobs.instrument_id = held.instrument_id and jobs.is_second_look and jobs.resolution = held.resolution
            and held.opened_at >= jobs.window_start and held.opened_at < jobs.window_end)
group by held.instrument_id, held.resolution, tracked.asked_from, tracked.asked_until, custom.instrument
order by held.instrument_id, held.resolution
"""


def second_looks(
    conn: Connection, sources: Mapping[str, MarketSource], order: Sequence[str], now: datetime
) -> list[NewJob]:
    """A job for each instrument with held prices that another source has not been asked about; none where none can be.

    Args:
        conn: any.
        sources: those that may be asked.
        order: the owner's order of sources.
        now: the clock, UTC.
    """
    jobs = []
    for row in conn.execute(_HELD.encode(), [list(REASONS)]):
        instrument, resolution, told = Instrument(row[0], *row[7:14]), Resolution(row[1]), row[4]
        origins = {SAME_ORIGIN.get(name, name) for name in told}
        known = tuple(name for name in sources if SAME_ORIGIN.get(name, name) in origins)
        step = resolution.step
        window = Window(max(row[2] - _BEFORE * step, row[5]), min(row[3] + _AFTER * step, row[6]))
        source = route(candidates(instrument, sources, order, resolution, now), window.start, known)
        if source is not None:
            jobs.append(
                NewJob(row[0], source, resolution, window, Status.QUEUED, given_up=known, is_second_look=True)
            )  # fmt: skip
    return jobs
