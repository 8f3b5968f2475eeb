"""SQL of prices: what arrives is compared with what is known and judged, and what differs lands.

Belongs here: raw.bars, raw.bar_revisions. Must not be here: which observations may count (acceptance.py, shown to it by
judging.py), corporate actions (landing_actions.py), jobs (jobs.py). Everything happens in the caller's transaction.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from assets.market.acceptance import judge
from assets.market.batches import write_batch
from assets.market.judging import SPANS, Judge, judge_incoming, show_held
from assets.market.landing_actions import land_actions
from assets.market.model import Action, Bar, Observation, Price
from assets.warehouse.database import Connection, copy_rows

#: Of a latest price, which is a bar without a length.
TICK = "tick"
_TICK_OF_CLOCK = timedelta(microseconds=1)
COLUMNS = (
    "instrument_id", "source", "resolution", "opened_at", "priced_at", "open", "high", "low", "close", "volume",
    "currency", "is_time_told",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Landed:
    """What a landing wrote; all 0 where nothing differed.

    Attributes:
        changed: rows new or corrected.
        revised: those of them that were known with other numbers.
    """

    changed: int = 0
    revised: int = 0
    held: int = 0
    refused: int = 0
    actions: int = 0


def land(
    conn: Connection,
    observations: Iterable[Observation],
    actions: Iterable[Action],
    now: datetime,
    run_id: str | None = None,
    judged_by: Judge = judge,
) -> Landed:
    """Land prices and actions; the same ones a second time change nothing.

    Args:
        conn: in a transaction that the caller commits.
        observations: bars and latest prices of any sources.
        actions: splits and dividends.
        now: the clock, UTC; no close is later.
        run_id: written beside new batches.
        judged_by: the rules of acceptance.
    """
    changed_actions = land_actions(conn, tuple(actions), run_id)
    conn.execute(_INCOMING)
    if copy_rows(conn, "pg_temp.incoming_bars", COLUMNS, (row_of(one, now) for one in observations)) == 0:
        return Landed(actions=changed_actions)
    # an answer with one instant twice has been dealt with before it comes here; two sources' answers never collide
    conn.execute(_READ_KNOWN)
    conn.execute(_DROP_KNOWN)
    changes = conn.execute(
        "select source, count(*), min(priced_at),"
        " sum(hash_record_extended((instrument_id, resolution, opened_at, currency, close, volume), 0))::text"
        " from pg_temp.incoming_bars as incoming group by source order by source"
    ).fetchall()
    if not changes:
        return Landed(actions=changed_actions)
    batches = {
        source: write_batch(conn, "bars", source, digest, count, counts_from, run_id)
        for source, count, counts_from, digest in changes
    }
    show_held(conn)
    judge_incoming(conn, now, judged_by)
    row = conn.execute(
        _LAND, {"sources": list(batches), "batches": list(batches.values()), "now": now}
    ).fetchone()  # fmt: skip
    # what was held and counts now changes the past as much as what came now
    conn.execute(
        "update raw.batches set counts_from = least(counts_from, freed.at) from"
        " (select min(priced_at) as at from pg_temp.incoming_bars where is_known and status <> 'held') as freed"
        " where batch_id = %s and freed.at is not null",
        [min(batches.values())],
    )
    conn.execute("delete from pg_temp.incoming_bars")
    changed, revised, held, refused = row if row else (0, 0, 0, 0)
    return Landed(changed, revised, held, refused, changed_actions)


def judge_again(conn: Connection, now: datetime, judged_by: Judge = judge) -> int:
    """Judge everything that is held once more: a split or a second source may have come.

    A person's word is not asked for again: what was released or refused is not held.

    Args:
        conn: in a transaction that the caller commits.
        now: the clock, UTC.
        judged_by: the rules of acceptance.

    Returns:
        How many rows are held no more.
    """
    conn.execute(_INCOMING)
    if show_held(conn, of_all=True) == 0:
        return 0
    judge_incoming(conn, now, judged_by)
    freed = conn.execute(
        "select source, count(*), min(priced_at), md5(string_agg(incoming::text, '#' order by number))"
        " from pg_temp.incoming_bars as incoming where status <> 'held' group by source order by source"
    ).fetchall()
    for source, count, counts_from, digest in freed:
        write_batch(conn, "bars_judged", source, digest, count, counts_from, None)
    if freed:
        conn.execute(_LAND, {"sources": [], "batches": [], "now": now})
    conn.execute("delete from pg_temp.incoming_bars")
    return sum(row[1] for row in freed)


def row_of(one: Observation, now: datetime) -> Sequence[Any]:
    """An observation as it is stored, in the order of `COLUMNS`; what is no finite number becomes unknown."""
    if isinstance(one, Price):
        close = _finite(one.price)
        return (
            one.instrument_id, one.source, TICK, one.priced_at, one.priced_at, None, None, None, close, None,
            one.currency, one.is_time_told,
        )  # fmt: skip
    return (
        one.instrument_id, one.source, one.resolution, one.opened_at, _priced_at(one, now), _finite(one.open),
        _finite(one.high), _finite(one.low), _finite(one.close), _finite(one.volume), one.currency, True,
    )  # fmt: skip


def _priced_at(bar: Bar, now: datetime) -> datetime:
    """The instant of the close, within its bar: midnight exactly is of the day before, as everywhere."""
    end = bar.opened_at + bar.resolution.step - _TICK_OF_CLOCK
    told = end if bar.priced_at is None else max(min(bar.priced_at, end), bar.opened_at)
    # a place with its own hours closes before the day of its bar has ended
    return max(min(told, now), bar.opened_at)


def _finite(value: Decimal | None) -> Decimal | None:
    return value if value is not None and value.is_finite() else None


_INCOMING = """
create temporary table if not exists incoming_bars (
    instrument_id text not null, source text not null, resolution text not null, opened_at timestamptz not null,
    priced_at timestamptz not null, open numeric, high numeric, low numeric, close numeric, volume numeric,
    currency text not null, is_time_told boolean not null, status text not null default 'accepted', reason text,
    is_known boolean not null default false,
    number bigint generated always as identity
) on commit delete rows;
create temporary table if not exists known_bars (like raw.bars) on commit delete rows;
delete from pg_temp.incoming_bars; delete from pg_temp.known_bars
"""
# priced_at is no difference: a day's close that was asked for in the evening is dated to that evening
_DROP_KNOWN = """
delete from pg_temp.incoming_bars as incoming
using pg_temp.known_bars as known
where
    incoming.instrument_id = known.instrument_id and incoming.resolution = known.resolution
    and incoming.opened_at = known.opened_at and incoming.source = known.source
    and incoming.currency = known.currency
    and (incoming.open, incoming.high, incoming.low, incoming.close, incoming.volume)
        is not distinct from (known.open, known.high, known.low, known.close, known.volume)
"""
# by ranges of the key: a join planned as a scan would read years of everything for each landing
_READ_KNOWN = f"""
insert into pg_temp.known_bars
select bars.* from ({SPANS}) as spans
cross join lateral (
    select * from raw.bars
    where
        bars.instrument_id = spans.instrument_id and bars.resolution = spans.resolution
        and bars.opened_at between spans.first_at and spans.last_at
    offset 0
) as bars
"""
_LAND = """
with
batches as (select * from unnest(%(sources)s::text[], %(batches)s::bigint[]) as own (source, batch_id)),
revised as (
    insert into raw.bar_revisions
        (instrument_id, source, resolution, opened_at, priced_at, open, high, low, close, volume, currency, batch_id,
         status, reason, replaced_by)
    select
        known.instrument_id, known.source, known.resolution, known.opened_at, known.priced_at, known.open, known.high,
        known.low, known.close, known.volume, known.currency, known.batch_id, known.status, known.reason,
        batches.batch_id
    from pg_temp.incoming_bars as incoming
    inner join batches on incoming.source = batches.source
    inner join pg_temp.known_bars as known
        on incoming.instrument_id = known.instrument_id and incoming.resolution = known.resolution
            and incoming.opened_at = known.opened_at and incoming.source = known.source
            and incoming.currency = known.currency
    where not incoming.is_known
    returning revision_id
),
landed as (
    insert into raw.bars as known
        (instrument_id, source, resolution, opened_at, priced_at, open, high, low, close, volume, currency,
         is_time_told, batch_id, status, reason, judged_at)
    select
        incoming.instrument_id, incoming.source, incoming.resolution, incoming.opened_at, incoming.priced_at,
        incoming.open, incoming.high, incoming.low, incoming.close, incoming.volume, incoming.currency,
        incoming.is_time_told, batches.batch_id, incoming.status, incoming.reason, %(now)s
    from pg_temp.incoming_bars as incoming inner join batches on incoming.source = batches.source
    where not incoming.is_known
    -- two workers that bring the same rows take their locks in one order
    order by incoming.instrument_id, incoming.resolution, incoming.opened_at, incoming.source, incoming.currency
    on conflict (instrument_id, resolution, opened_at, source, currency) do update
    set
        priced_at = excluded.priced_at, open = excluded.open, high = excluded.high, low = excluded.low,
        close = excluded.close, volume = excluded.volume, is_time_told = excluded.is_time_told,
        batch_id = excluded.batch_id, status = excluded.status, reason = excluded.reason, judged_at = excluded.judged_at
    where (known.open, known.high, known.low, known.close, known.volume)
        is distinct from (excluded.open, excluded.high, excluded.low, excluded.close, excluded.volume)
    returning status
),
rejudged as (
    update raw.bars as known set status = incoming.status, reason = incoming.reason, judged_at = %(now)s
    from pg_temp.incoming_bars as incoming
    where
        incoming.is_known and incoming.status <> 'held'
        and incoming.instrument_id = known.instrument_id and incoming.resolution = known.resolution
        and incoming.opened_at = known.opened_at and incoming.source = known.source
        and incoming.currency = known.currency
)
select
    (select count(*) from landed), (select count(*) from revised),
    (select count(*) from landed where status = 'held'), (select count(*) from landed where status = 'refused')
"""
