"""Which bars leave raw.bars for the Parquet archive.

Belongs here: how long bars are kept by resolution, and which ones stay whatever their age. Must not be here: how rows
move (assets/warehouse/archive.py).

What published marts were computed from stays, so that no run restates a day because its bars have left:
- of each instrument, source, currency and UTC day the last accepted bar, whatever its resolution: the day's close;
- every bar of what others are priced in: currencies, and tokens such as stablecoins: they convert at any instant;
- every bar of an instrument on a day on which the ledger valued it at an instant (a transaction or an observed balance
  with a time of day), with what is linked to it;
- what a person decided on, and what waits for one.
"""

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from psycopg import sql

from assets.warehouse.archive import Dataset, Moved, move
from assets.warehouse.database import Connection, has_relation

#: How long bars are kept. Latest prices (`tick`) come every 15 minutes and are kept as those; days are kept for ever.
KEPT = {
    "1m": timedelta(days=7), "5m": timedelta(days=30), "15m": timedelta(days=365), "1h": timedelta(days=365),
    "tick": timedelta(days=365),
}  # fmt: skip
BARS = Dataset("bars", "raw.bars", ("bar_id",), "resolution", "opened_at")

_WITHOUT_BALANCES = "select null::text as instrument_id, null::timestamptz as moment where false"
_BALANCES = "select instrument_id, balance_at as moment from staging.stg_balances where not is_date_only"
_DECLARED = "select instrument as instrument_id, canonical_instrument as linked_id from registry.instruments"
_LINKED = (
    "select instrument_id, unnest(array[canonical_instrument, pricing_instrument_id]) as linked_id"
    " from intermediate.int_instruments"
)
_COMPONENTS = "select instrument_id, component_id as linked_id from raw.wallet_positions"
_OLD = """
with recursive
limits as (select * from unnest({resolutions}::text[], {before}::timestamptz[]) as own (resolution, before)),
named as (
    select names.instrument_id, transactions.executed_at as moment
    from raw.transactions as transactions
    cross join lateral (
        values (transactions.instrument_id), (transactions.currency), (transactions.fee_currency)
    ) as names (instrument_id)
    where not transactions.is_date_only and names.instrument_id is not null
    union all
    {balances}
),
valued as (select distinct instrument_id, (moment at time zone 'UTC')::date as day from named),
touched as (
    select instrument_id, day from valued
    union
    select links.linked_id, touched.day from touched inner join ({links}) as links using (instrument_id)
    where links.linked_id is not null
),
money as (select distinct currency as instrument_id from raw.bars),
-- a day's last bar may be one of another resolution than the old one's; two at one instant both stay
dated as (
    select
        bars.bar_id, bars.instrument_id, bars.resolution, bars.opened_at, bars.priced_at, bars.status,
        (bars.priced_at at time zone 'UTC')::date as day,
        max(bars.priced_at) filter (where bars.status = 'accepted') over (
            partition by bars.instrument_id, bars.source, bars.currency, (bars.priced_at at time zone 'UTC')::date
        ) as last_at
    from raw.bars
    where bars.opened_at < (select max(before) from limits) + interval '2 days'
)
select dated.bar_id
from dated
inner join limits on dated.resolution = limits.resolution and dated.opened_at < limits.before
where
    (dated.status = 'refused' or (dated.status = 'accepted' and dated.priced_at < dated.last_at))
    and dated.instrument_id not like 'fiat:%'
    and not exists (select from money where money.instrument_id = dated.instrument_id)
    and not exists (
        select from touched where touched.instrument_id = dated.instrument_id and touched.day = dated.day)
    and not exists (select from quality.price_reviews as reviews where reviews.bar_id = dated.bar_id)
"""


def limits(now: datetime) -> dict[str, datetime]:
    """Before which instant bars of each resolution are old.

    Those kept for a year leave by whole months: what leaves changes the month's print, and the next run looks at the
    days since once a month rather than every time.
    """
    found = {}
    for resolution, kept in KEPT.items():
        before = now - kept
        if kept >= timedelta(days=365):
            before = before.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        found[resolution] = before
    return found


def archive_bars(conn: Connection, root: Path, now: datetime, **options: Any) -> Moved:
    """Move old bars into files.

    Args:
        conn: with autocommit, in UTC.
        root: HOLDFAST_HOME/archive.
        now: from which ages count: the clock, or an earlier moment that was published last.
        options: of `move`.
    """
    before = limits(now)
    # a receipt is worth its components at that instant; models are there from the first run on
    links = [_DECLARED, _COMPONENTS]
    links += [_LINKED] if has_relation(conn, "intermediate.int_instruments") else []
    old = sql.SQL(_OLD).format(
        balances=sql.SQL(_BALANCES if has_relation(conn, "staging.stg_balances") else _WITHOUT_BALANCES),
        links=sql.SQL(" union all ".join(links)),
        resolutions=sql.Literal(list(before)),
        before=sql.Literal(list(before.values())),
    )
    return move(conn, root, BARS, old, **options)
