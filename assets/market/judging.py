"""SQL between a landing and acceptance: the frames that `judge` is shown, and its verdicts beside the incoming rows.

Belongs here: what of raw.bars is shown for comparison, and pg_temp.incoming_bars' status and reason. Must not be here:
rules (acceptance.py), what lands (landing.py).
"""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING

from assets.market.context import calendars_of, describe, known_currencies, splits_of
from assets.warehouse.database import Connection

if TYPE_CHECKING:
    import polars as pl

#: As acceptance.judge.
Judge = Callable[..., "pl.DataFrame"]

#: So many bars before the new ones are shown to the judge; a year of days has its own outliers.
_HISTORY_BARS = 60
_SHOWN = (
    "bars.instrument_id, bars.source, bars.resolution, extract(epoch from bars.opened_at)::numeric * 1000000,"
    " extract(epoch from bars.priced_at)::numeric * 1000000, bars.open, bars.high, bars.low, bars.close, bars.volume,"
    " bars.currency, bars.is_time_told"
)

#: The instants that came, by instrument and resolution.
SPANS = """
select distinct on (instrument_id, resolution) instrument_id, resolution,
    min(opened_at) over series as first_at, max(opened_at) over series as last_at
from pg_temp.incoming_bars window series as (partition by instrument_id, resolution)
"""
_HELD = """
insert into pg_temp.incoming_bars
    (instrument_id, source, resolution, opened_at, priced_at, open, high, low, close, volume, currency, is_time_told,
     is_known)
select
    held.instrument_id, held.source, held.resolution, held.opened_at, held.priced_at, held.open, held.high, held.low,
    held.close, held.volume, held.currency, held.is_time_told, true
from raw.bars as held
where held.status = 'held'
"""
_OF_WHAT_CAME = """
    and exists (
        select from pg_temp.incoming_bars as incoming
        where incoming.instrument_id = held.instrument_id and incoming.resolution = held.resolution)
    and not exists (
        select from pg_temp.incoming_bars as incoming
        where incoming.instrument_id = held.instrument_id and incoming.resolution = held.resolution
            and incoming.opened_at = held.opened_at and incoming.source = held.source
            and incoming.currency = held.currency)
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
from ({SPANS}) as spans
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


def show_held(conn: Connection, *, of_all: bool = False) -> int:
    """Put what is held beside what came: the next bar, or another source, confirms or refutes it. Returns how many.

    Args:
        conn: in the landing's transaction.
        of_all: of every instrument, not only of those that something came of.
    """
    return conn.execute((_HELD if of_all else _HELD + _OF_WHAT_CAME).encode()).rowcount


def judge_incoming(conn: Connection, now: datetime, judged_by: Judge) -> None:
    """Write a verdict beside each row of pg_temp.incoming_bars.

    Args:
        conn: in the landing's transaction.
        now: the clock, UTC.
        judged_by: the rules of acceptance.
    """
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
