"""A person's word on prices: what is held, and letting single prices count or not, for ever.

Belongs here: reading held rows, deciding on them, the audit. Must not be here: rules (acceptance.py), printing
(orchestration). What a person decided is not judged again; a source that corrects the price brings a new one.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from assets.market.verdicts import ACCEPTED, HELD, REFUSED
from assets.warehouse.database import Connection


class ReviewError(ValueError):
    """What was asked for cannot be done; nothing was changed."""


@dataclass(frozen=True, slots=True)
class HeldPrice:
    """A price that does not count yet; `last_good` is its source's last accepted one before it, None: there is none."""

    bar_id: int
    instrument_id: str
    source: str
    resolution: str
    priced_at: datetime
    close: Decimal
    currency: str
    reason: str
    last_good: Decimal | None
    last_good_at: datetime | None


_HELD = """
select
    held.bar_id, held.instrument_id, held.source, held.resolution, held.priced_at, held.close, held.currency,
    held.reason, good.close, good.priced_at
from raw.bars as held
left join lateral (
    select bars.close, bars.priced_at from raw.bars as bars
    where
        bars.instrument_id = held.instrument_id and bars.resolution = held.resolution and bars.source = held.source
        and bars.currency = held.currency and bars.opened_at < held.opened_at and bars.status = 'accepted'
    order by bars.opened_at desc
    limit 1
) as good on true
where held.status = 'held'
order by held.instrument_id, held.priced_at, held.source
"""
_ASKED = """
select bar_id, status, close from raw.bars where bar_id = any(%s) order by bar_id for update
"""
_DECIDE = """
with
batch as (
    insert into raw.batches (kind, source, content_hash, row_count, status, counts_from)
    select 'price_review', 'person', md5(%(ids)s::bigint[]::text || clock_timestamp()::text), count(*), 'accepted',
        min(priced_at)
    from raw.bars where bar_id = any(%(ids)s)
    returning batch_id
),
reviewed as (
    insert into quality.price_reviews
        (bar_id, instrument_id, source, resolution, opened_at, close, currency, decision, status_before, reason_before,
         reviewed_by, reviewed_at, batch_id)
    select
        bars.bar_id, bars.instrument_id, bars.source, bars.resolution, bars.opened_at, bars.close, bars.currency,
        case when bars.bar_id = any(%(released)s) then 'released' else 'refused' end, bars.status, bars.reason,
        %(by)s, %(now)s, batch.batch_id
    from raw.bars as bars cross join batch
    where bars.bar_id = any(%(ids)s)
)
update raw.bars as bars
set
    status = case when bars.bar_id = any(%(released)s) then 'accepted' else 'refused' end,
    reason = case when not bars.bar_id = any(%(released)s) then 'refused_by_person' end,
    judged_at = %(now)s
where bars.bar_id = any(%(ids)s)
"""


def held_prices(conn: Connection) -> list[HeldPrice]:
    """Everything that waits for a second source, the next bar, or a person."""
    return [HeldPrice(*row) for row in conn.execute(_HELD).fetchall()]


def decide(conn: Connection, release: Sequence[int], refuse: Sequence[int], by: str, now: datetime) -> int:
    """Release and refuse prices by their ids, all or none of them.

    An accepted price can be refused and a refused one released too: a person may correct what the rules let pass.

    Args:
        conn: in a transaction that the caller commits.
        release: ids of prices that count from now on.
        refuse: ids of prices that do not.
        by: who decides.
        now: the clock, UTC.

    Returns:
        How many prices were decided on.

    Raises:
        ReviewError: an id is unknown or in both lists, or a price without a number is released.
    """
    ids = sorted({*release, *refuse})
    both = sorted({*release} & {*refuse})
    if both:
        raise ReviewError(f"price {both[0]} is to be released and refused: expected one of the two")
    found = {row[0]: (row[1], row[2]) for row in conn.execute(_ASKED, [ids]).fetchall()}
    unknown = [one for one in ids if one not in found]
    if unknown:
        raise ReviewError(
            f"no price has the id {', '.join(map(str, unknown))}; holdfast prices review lists those that are held"
        )
    for one in release:
        close = found[one][1]
        if close is None or close <= 0:
            raise ReviewError(f"price {one} is {close}, which is no price: give the right one in prices/*.csv instead")
    final = {ACCEPTED: set(refuse), HELD: set(ids), REFUSED: set(release)}
    changing = [one for one in ids if one in final[found[one][0]]]
    if changing:
        conn.execute(
            _DECIDE,
            {"ids": changing, "released": [one for one in changing if one in set(release)], "by": by, "now": now},
        )
    return len(changing)
