"""SQL of prices and corporate actions: what arrives is compared with what is known and judged, and what differs lands.

Belongs here: raw.bars, raw.bar_revisions, raw.source_actions and their batches. Must not be here: which observations
may count (acceptance.py), jobs (store.py). Everything happens in the caller's transaction.
"""

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from assets.market.acceptance import judge
from assets.market.context import calendars_of, describe, known_currencies, splits_of
from assets.market.model import Action, Bar, Observation, Price
from assets.warehouse.database import Connection, copy_rows

if TYPE_CHECKING:
    import polars as pl

#: Of a latest price, which is a bar without a length.
TICK = "tick"
_TICK_OF_CLOCK = timedelta(microseconds=1)
#: So many bars before the new ones are shown to the judge; a year of days has its own outliers.
_HISTORY_BARS = 60
COLUMNS = (
    "instrument_id", "source", "resolution", "opened_at", "priced_at", "open", "high", "low", "close", "volume",
    "currency", "is_time_told",
)  # fmt: skip
_SHOWN = (
    "bars.instrument_id, bars.source, bars.resolution, extract(epoch from bars.opened_at)::numeric * 1000000,"
    " extract(epoch from bars.priced_at)::numeric * 1000000, bars.open, bars.high, bars.low, bars.close, bars.volume,"
    " bars.currency, bars.is_time_told"
)

#: As acceptance.judge.
Judge = Callable[..., "pl.DataFrame"]


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
    changed_actions = _land_actions(conn, tuple(actions), run_id)
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
        source: _batch(conn, "bars", source, digest, count, counts_from, run_id)
        for source, count, counts_from, digest in changes
    }
    _judge(conn, now, judged_by)
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
    if conn.execute(_HELD).rowcount == 0:
        return 0
    _write_verdicts(conn, now, judged_by)
    freed = conn.execute(
        "select source, count(*), min(priced_at), md5(string_agg(incoming::text, '#' order by number))"
        " from pg_temp.incoming_bars as incoming where status <> 'held' group by source order by source"
    ).fetchall()
    for source, count, counts_from, digest in freed:
        _batch(conn, "bars_judged", source, digest, count, counts_from, None)
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
# what is held is judged again beside what is new: the next bar confirms or refutes it
_REJUDGE = """
insert into pg_temp.incoming_bars
    (instrument_id, source, resolution, opened_at, priced_at, open, high, low, close, volume, currency, is_time_told,
     is_known)
select
    held.instrument_id, held.source, held.resolution, held.opened_at, held.priced_at, held.open, held.high, held.low,
    held.close, held.volume, held.currency, held.is_time_told, true
from raw.bars as held
where
    held.status = 'held'
    and exists (
        select from pg_temp.incoming_bars as incoming
        where incoming.instrument_id = held.instrument_id and incoming.resolution = held.resolution)
    and not exists (
        select from pg_temp.incoming_bars as incoming
        where incoming.instrument_id = held.instrument_id and incoming.resolution = held.resolution
            and incoming.opened_at = held.opened_at and incoming.source = held.source
            and incoming.currency = held.currency)
"""
_HELD = """
insert into pg_temp.incoming_bars
    (instrument_id, source, resolution, opened_at, priced_at, open, high, low, close, volume, currency, is_time_told,
     is_known)
select
    instrument_id, source, resolution, opened_at, priced_at, open, high, low, close, volume, currency, is_time_told,
    true
from raw.bars
where status = 'held'
"""
_SPANS = """
select distinct on (instrument_id, resolution) instrument_id, resolution,
    min(opened_at) over series as first_at, max(opened_at) over series as last_at
from pg_temp.incoming_bars window series as (partition by instrument_id, resolution)
"""
# by ranges of the key: a join planned as a scan would read years of everything for each landing
_READ_KNOWN = f"""
insert into pg_temp.known_bars
select bars.* from ({_SPANS}) as spans
cross join lateral (
    select * from raw.bars
    where
        bars.instrument_id = spans.instrument_id and bars.resolution = spans.resolution
        and bars.opened_at between spans.first_at and spans.last_at
    offset 0
) as bars
"""
_HISTORY = f"""
select {_SHOWN}
from (
    select distinct on (instrument_id, resolution, source, currency) instrument_id, resolution, source, currency,
        min(opened_at) over (partition by instrument_id, resolution, source, currency) as first_at
    from pg_temp.incoming_bars
) as spans
cross join lateral (
    select * from raw.bars as known
    where
        known.instrument_id = spans.instrument_id and known.resolution = spans.resolution
        and known.source = spans.source and known.currency = spans.currency
        and known.opened_at < spans.first_at and known.status = 'accepted'
    order by known.opened_at desc
    limit {_HISTORY_BARS}
) as bars
order by bars.instrument_id, bars.resolution, bars.source, bars.currency, bars.opened_at
"""
_OTHERS = f"""
select {_SHOWN}
from ({_SPANS}) as spans
cross join lateral (
    select * from raw.bars
    where
        bars.instrument_id = spans.instrument_id and bars.resolution = spans.resolution
        -- and the bars after, which confirm the last ones; a market may be closed for some days
        and bars.opened_at between spans.first_at and spans.last_at + interval '5 days' and bars.status = 'accepted'
    offset 0
) as bars
where not exists (
    select from pg_temp.incoming_bars as incoming
    where incoming.instrument_id = bars.instrument_id and incoming.resolution = bars.resolution
        and incoming.opened_at = bars.opened_at and incoming.source = bars.source
        and incoming.currency = bars.currency)
order by bars.instrument_id, bars.resolution, bars.source, bars.currency, bars.opened_at
"""
_NEW = f"""
select {_SHOWN}, bars.number from pg_temp.incoming_bars as bars
order by bars.instrument_id, bars.resolution, bars.source, bars.currency, bars.opened_at
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


def _judge(conn: Connection, now: datetime, judged_by: Judge) -> None:
    """Write a verdict beside each incoming row, and beside what was held of its instruments."""
    conn.execute(_REJUDGE)
    _write_verdicts(conn, now, judged_by)


def _write_verdicts(conn: Connection, now: datetime, judged_by: Judge) -> None:
    import polars as pl

    new = _frame(conn, _NEW, number=pl.Int64)
    numbers, new = new["number"], new.drop("number")
    history, new, others = describe(conn, _frame(conn, _HISTORY), new, _frame(conn, _OTHERS))
    verdicts = judged_by(
        history,
        new,
        calendars_of(new, now),
        others,
        now,
        actions=splits_of(conn, new),
        currencies=known_currencies(conn),
    )
    if verdicts.height != new.height or verdicts["status"].null_count():
        raise ValueError(f"{verdicts.height} verdicts for {new.height} observations: expected one for each")
    odd = verdicts.with_columns(number=numbers).filter(pl.col("status") != "accepted")
    # most are accepted: only the others are written, and what has no word beside it counts as judged above
    conn.execute(
        "update pg_temp.incoming_bars as incoming set status = odd.status, reason = odd.reason"
        " from unnest(%s::bigint[], %s::text[], %s::text[]) as odd (number, status, reason)"
        " where incoming.number = odd.number",
        [odd["number"].to_list(), odd["status"].to_list(), odd["reason"].to_list()],
    )


def _frame(conn: Connection, query: str, **more: "type[pl.DataType]") -> "pl.DataFrame":
    """Bars as a frame: prices as float64, since rules compare and do not book."""
    import polars as pl

    from assets.warehouse.database import read_frame

    text, price = pl.String, pl.Float64
    schema: dict[str, type[pl.DataType]] = {
        "instrument_id": text, "source": text, "resolution": text, "opened_at": pl.Float64, "priced_at": pl.Float64,
        "open": price, "high": price, "low": price, "close": price, "volume": price, "currency": text,
        "is_time_told": text, **more,
    }  # fmt: skip
    frame = read_frame(conn, query, [], schema)
    return frame.with_columns(
        pl.col("opened_at", "priced_at").cast(pl.Int64).cast(pl.Datetime("us", "UTC")),
        is_time_told=pl.col("is_time_told") == "t",
    )


def _batch(
    conn: Connection, kind: str, source: str, digest: str, rows: int, counts_from: datetime, run_id: str | None
) -> int:
    """A batch of what differs; `counts_from` is the earliest instant that it changes."""
    row = conn.execute(
        "insert into raw.batches (kind, source, content_hash, row_count, status, run_id, counts_from)"
        " values (%s, %s, %s, %s, 'accepted', %s, %s) returning batch_id",
        [kind, source, digest, rows, run_id, counts_from],
    ).fetchone()
    return int(row[0]) if row else 0


def _land_actions(conn: Connection, actions: Sequence[Action], run_id: str | None) -> int:
    """Upsert splits and dividends; returns how many differed. One that a source takes back stays: it may be a gap."""
    if not actions:
        return 0
    columns = "instrument_id, source, kind, ex_date, ratio, amount, currency"
    conn.execute(
        "create temporary table if not exists incoming_actions (like raw.source_actions) on commit delete rows"
    )
    conn.execute("alter table pg_temp.incoming_actions alter batch_id drop not null, alter seen_at drop not null")
    copy_rows(
        conn,
        "pg_temp.incoming_actions",
        columns.split(", "),
        (
            (one.instrument_id, one.source, one.kind, one.ex_date, one.ratio, one.amount, one.currency)
            for one in {(one.instrument_id, one.source, one.kind, one.ex_date): one for one in actions}.values()
        ),
    )
    conn.execute(
        """
        delete from pg_temp.incoming_actions as incoming using raw.source_actions as known
        where
            (incoming.instrument_id, incoming.source, incoming.kind, incoming.ex_date)
            = (known.instrument_id, known.source, known.kind, known.ex_date)
            and (incoming.ratio, incoming.amount, incoming.currency)
            is not distinct from (known.ratio, known.amount, known.currency)
        """
    )
    changed = 0
    for source, first, count in conn.execute(
        "select source, min(ex_date)::timestamp at time zone 'UTC', count(*) from pg_temp.incoming_actions"
        " group by source"
    ).fetchall():
        digest = hashlib.md5(repr(sorted(map(repr, actions))).encode(), usedforsecurity=False).hexdigest()
        batch = _batch(conn, "source_actions", source, digest, count, first, run_id)
        changed += conn.execute(
            f"""
            insert into raw.source_actions ({columns}, batch_id)
            select {columns}, %s from pg_temp.incoming_actions where source = %s
            on conflict (instrument_id, source, kind, ex_date) do update
            set ratio = excluded.ratio, amount = excluded.amount, currency = excluded.currency,
                batch_id = excluded.batch_id, seen_at = now()
            """.encode(),
            [batch, source],
        ).rowcount
    return changed
