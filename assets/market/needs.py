"""SQL of what is needed: holdings, benchmarks, targets and currencies become registry.tracked_instruments, set-based.

Belongs here: one statement over all portfolios, and what it adds, resumes and pauses. Must not be here: prices
(landing.py), jobs other than those that pause and go on with their instrument (jobs.py).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from assets.market.model import Resolution
from assets.warehouse.database import Connection


@dataclass(frozen=True, slots=True)
class NeedCounts:
    """What a look at the holdings changed."""

    added: int
    resumed: int
    paused: int


_NEEDS = """
create temporary table needs on commit drop as
with
active as materialized (
    select
        id as portfolio_id, benchmark, risk_free_rate,
        case when base_currency like '%%:%%' then base_currency else 'fiat:' || base_currency end as base_currency
    from registry.portfolios where is_active
),
booked as materialized (
    select rows.portfolio_id, rows.instrument_id, rows.currency, rows.fee_currency,
        min(rows.executed_at) as first_at, max(rows.executed_at) as last_at
    from raw.transactions as rows
    inner join ops.input_files as files on rows.batch_id = files.batch_id
    inner join active on rows.portfolio_id = active.portfolio_id
    group by rows.portfolio_id, rows.instrument_id, rows.currency, rows.fee_currency
),
mentions as (
    select portfolio_id, instrument_id, first_at, last_at from booked
    union all
    select rows.portfolio_id, rows.instrument_id, min(rows.balance_at), max(rows.balance_at)
    from raw.balances as rows
    inner join ops.input_files as files on rows.batch_id = files.batch_id
    inner join active on rows.portfolio_id = active.portfolio_id
    group by rows.portfolio_id, rows.instrument_id
    union all
    select wallets.portfolio_id, parts.instrument_id, null::timestamptz, null::timestamptz
    from registry.portfolio_wallets as wallets
    inner join active on wallets.portfolio_id = active.portfolio_id
    inner join raw.wallet_balances as rows on wallets.chain_id = rows.chain and wallets.wallet_address = rows.wallet
    left join raw.wallet_positions as stands on rows.instrument_id = stands.instrument_id
    cross join lateral (values (rows.instrument_id), (stands.component_id)) as parts (instrument_id)
    where wallets.is_active and rows.raw_amount > 0 and parts.instrument_id is not null
    group by wallets.portfolio_id, parts.instrument_id
),
-- the ledger knows what was sold; what it has not seen yet counts as held
open_positions as (
    select
        portfolio_id, instrument_id,
        bool_or(valid_to is null and quantity <> 0) as is_open,
        max(valid_to)::timestamp at time zone 'UTC' as closed_at
    from intermediate.ledger_positions
    group by portfolio_id, instrument_id
),
holdings as (
    select
        mentions.portfolio_id, mentions.instrument_id, min(mentions.first_at) as first_at,
        bool_or(
            coalesce(positions.is_open, true) or mentions.last_at >= positions.closed_at + interval '1 day'
        ) as is_held,
        max(positions.closed_at) as closed_at
    from mentions
    left join open_positions as positions using (portfolio_id, instrument_id)
    group by mentions.portfolio_id, mentions.instrument_id
),
-- a token that is redeemed for another asset has that asset's price
priced as (
    select
        coalesce(custom.canonical_instrument, known.canonical_instrument, holdings.instrument_id) as instrument_id,
        -- an optimiser looks back as far as its policy says, also on what was bought yesterday
        min(least(holdings.first_at, %(now)s - make_interval(days => policies.lookback_days))) as first_at,
        bool_or(holdings.is_held) as is_held, max(holdings.closed_at) as closed_at
    from holdings
    left join registry.policies as policies on holdings.portfolio_id = policies.portfolio_id
    left join registry.instruments as custom on holdings.instrument_id = custom.instrument
    left join ops.known_instruments as known on holdings.instrument_id = known.instrument_id
    group by 1
),
inception as (select portfolio_id, min(first_at) as first_at from mentions group by portfolio_id),
-- what a portfolio is to be made of, whether it is held or not
chosen as (
    select
        coalesce(custom.canonical_instrument, known.canonical_instrument, named.instrument_id) as instrument_id,
        named.needed_for, min(least(inception.first_at, named.first_at)) as first_at
    from (
        select portfolio_id, instrument as instrument_id, 'target' as needed_for, null::timestamptz as first_at
        from registry.targets
        union all
        select portfolio_id, unnest(universe), 'universe', %(now)s - make_interval(days => lookback_days)
        from registry.policies
    ) as named
    inner join active on named.portfolio_id = active.portfolio_id
    left join inception on named.portfolio_id = inception.portfolio_id
    left join registry.instruments as custom on named.instrument_id = custom.instrument
    left join ops.known_instruments as known on named.instrument_id = known.instrument_id
    where named.instrument_id like '%%:%%'
    group by 1, 2
),
currencies as (
    select active.base_currency as instrument_id, min(inception.first_at) as first_at
    from active left join inception using (portfolio_id) group by active.base_currency
    union all
    select currency, min(first_at) from booked where currency is not null group by currency
    union all
    select fee_currency, min(first_at) from booked where fee_currency is not null group by fee_currency
    union all
    select instrument_id, min(first_at) from priced where instrument_id like 'fiat:%%' group by instrument_id
    union all
    select instrument_id, min(first_at) from chosen where instrument_id like 'fiat:%%' group by instrument_id
    union all
    select custom.quote_currency, min(priced.first_at)
    from priced inner join registry.instruments as custom on priced.instrument_id = custom.instrument
    where custom.quote_currency is not null group by custom.quote_currency
    union all
    -- a stablecoin in which a source quotes is no dollar: its own price is needed
    select currency, min(tracked.first_needed_at)
    from registry.tracked_instruments as tracked cross join lateral unnest(tracked.currencies) as own (currency)
    where tracked.is_active group by currency
    union all
    -- values are published in dollars too
    select 'fiat:USD', min(first_at) from inception
),
wanted as (
    select
        priced.instrument_id, 'held' as needed_for, priced.first_at, priced.is_held, priced.closed_at, 1 as preference
    from priced where priced.instrument_id not like 'fiat:%%'
    union all
    select active.benchmark, 'benchmark', min(inception.first_at), true, null, 2
    from active left join inception using (portfolio_id)
    where active.benchmark is not null group by active.benchmark
    union all
    select active.risk_free_rate, 'risk_free_rate', min(inception.first_at), true, null, 3
    from active left join inception using (portfolio_id)
    where active.risk_free_rate like '%%:%%' group by active.risk_free_rate
    union all
    select instrument_id, needed_for, first_at, true, null, case needed_for when 'target' then 4 else 5 end
    from chosen where instrument_id not like 'fiat:%%'
    union all
    select instrument_id, 'currency', min(first_at), true, null, 6
    from currencies
    where
        instrument_id not like 'fiat:%%'
        -- one currency alone needs no rate
        or (select count(distinct instrument_id) from currencies where instrument_id like 'fiat:%%') > 1
    group by instrument_id
)
select
    instrument_id,
    (array_agg(needed_for order by is_held desc, preference))[1] as needed_for,
    min(first_at) as first_at,
    bool_or(is_held) as is_held,
    max(closed_at) as closed_at
from wanted
where
    instrument_id is not null
    -- what is the owner's own has a price elsewhere only where the owner says under which symbol
    and (
        instrument_id not like 'custom:%%'
        or exists (
            select from registry.instruments as custom
            where custom.instrument = wanted.instrument_id
                and coalesce(custom.ccxt_symbol, custom.yfinance_symbol) is not null
        )
    )
group by instrument_id
"""


def write_needs(
    conn: Connection, resolution: Resolution, now: datetime, lookback_from: datetime, pause_after: timedelta
) -> NeedCounts:
    """Set-based: what is needed is tracked, what was paused and is held again goes on, what is held no more pauses.

    Args:
        conn: in a transaction of the caller's.
        resolution: of instruments that are new.
        now: the clock, UTC.
        lookback_from: a history begins here at the latest.
        pause_after: how long after it was last held an instrument is still refreshed.
    """
    conn.execute("drop table if exists pg_temp.needs")
    parameters = {"resolution": resolution, "now": now, "from": lookback_from, "after": pause_after}
    conn.execute(_NEEDS, parameters)
    added = conn.execute(
        """
        insert into registry.tracked_instruments as tracked
            (instrument_id, needed_for, resolution, first_needed_at, last_held_at, is_active, paused_at, next_job_at)
        select
            instrument_id, needed_for, %(resolution)s, least(first_at, %(from)s),
            case when is_held then %(now)s else coalesce(closed_at, first_at, %(now)s) end,
            is_held or closed_at > %(now)s - %(after)s,
            case when not (is_held or closed_at > %(now)s - %(after)s) then %(now)s end,
            %(now)s
        from pg_temp.needs
        on conflict (instrument_id) do nothing
        """,
        parameters,
    ).rowcount
    resumed = conn.execute(
        """
        with resumed as (
            update registry.tracked_instruments as tracked
            set is_active = true, paused_at = null, next_job_at = %(now)s
            from pg_temp.needs
            where tracked.instrument_id = needs.instrument_id and needs.is_held and not tracked.is_active
            returning tracked.instrument_id
        ),
        jobs as (
            update registry.backfill_jobs as jobs set status = 'queued', next_try_at = clock_timestamp()
            from resumed where jobs.instrument_id = resumed.instrument_id and jobs.status = 'paused'
        )
        select count(*) from resumed
        """,
        parameters,
    ).fetchone()
    conn.execute(
        """
        update registry.tracked_instruments as tracked
        set
            first_needed_at = least(tracked.first_needed_at, needs.first_at, %(from)s),
            last_held_at = case when needs.is_held then greatest(tracked.last_held_at, %(now)s)
                                else tracked.last_held_at end,
            needed_for = needs.needed_for
        from pg_temp.needs
        where tracked.instrument_id = needs.instrument_id and (
            tracked.first_needed_at > needs.first_at
            or (tracked.asked_from is null and tracked.first_needed_at > %(from)s)
            or tracked.needed_for <> needs.needed_for
            or (needs.is_held and tracked.last_held_at < %(now)s)
        )
        """,
        parameters,
    )
    # a job that fills history from when it was held goes on; one that only follows the market stops
    paused = conn.execute(
        """
        with paused as (
            update registry.tracked_instruments as tracked set is_active = false, paused_at = %(now)s
            where tracked.is_active and tracked.last_held_at < %(now)s - %(after)s
            returning tracked.instrument_id, tracked.last_held_at
        ),
        jobs as (
            update registry.backfill_jobs as jobs set status = 'paused'
            from paused
            where jobs.instrument_id = paused.instrument_id and jobs.status = 'queued'
                and jobs.page_cursor >= paused.last_held_at
        )
        select count(*) from paused
        """,
        parameters,
    ).fetchone()
    conn.execute(
        "insert into ops.market_state (looked_batch_id, looked_balance_id) select"
        " (select coalesce(max(batch_id), 0) from raw.batches),"
        " (select coalesce(max(balance_id), 0) from raw.wallet_balances)"
        " on conflict (singleton) do update"
        " set looked_batch_id = excluded.looked_batch_id, looked_balance_id = excluded.looked_balance_id"
    )
    return NeedCounts(added, resumed[0] if resumed else 0, paused[0] if paused else 0)
