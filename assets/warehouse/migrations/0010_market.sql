-- Market data: what is tracked, what is still to be fetched, what sources said, and what each question cost.

-- The owner's order of sources and the resolution of stored history, from portfolios.yaml or an application; no row:
-- days, in the product's own order.
create table registry.price_settings (
    singleton boolean primary key default true check (singleton),
    resolution text not null default '1d' check (resolution in ('1d', '1h', '15m')),
    sources text[] not null default '{}'
);

-- An instrument is here once it was needed, and stays: its history is kept when it is held no more.
create table registry.tracked_instruments (
    instrument_id text primary key,
    needed_for text not null check (needed_for in ('held', 'benchmark', 'currency', 'risk_free_rate')),
    resolution text not null,
    first_needed_at timestamptz not null, -- its history begins here
    last_held_at timestamptz not null,    -- when it was last seen to be needed
    is_active boolean not null default true,
    paused_at timestamptz,                -- null: it is refreshed
    asked_from timestamptz,               -- its history has been asked for from here ...
    asked_until timestamptz,              -- ... to here, without a hole; null: not yet
    next_job_at timestamptz not null,     -- not before, unless its history begins earlier than asked_from
    refreshed_at timestamptz,             -- newest answer with a latest price
    currencies text[] not null default '{}',  -- in which its prices came
    tracked_at timestamptz not null default now(),
    check ((paused_at is null) = is_active)
);
create index on registry.tracked_instruments (next_job_at) where is_active;

-- Up to which batch holdings were looked at; a newer one wakes the sensor.
create table ops.market_state (
    singleton boolean primary key default true check (singleton),
    looked_batch_id bigint not null
);

create table registry.backfill_jobs (
    id bigint generated always as identity primary key,
    instrument_id text not null references registry.tracked_instruments,
    source text,                          -- who is asked next; null: nobody can be
    resolution text not null,
    window_start timestamptz not null,
    window_end timestamptz not null,      -- exclusive
    page_cursor timestamptz not null,     -- everything before it is landed
    status text not null check (status in ('queued', 'running', 'done', 'failed', 'paused')),
    worker text,
    leased_until timestamptz,
    attempts integer not null default 0,  -- at this page, of this source
    next_try_at timestamptz not null default now(),
    given_up text[] not null default '{}',    -- sources that cannot serve this job
    empty_at text[] not null default '{}',    -- sources that have nothing for this page
    look_again_until timestamptz,         -- the page had gaps and is asked for once more, up to here
    landed_rows bigint not null default 0,
    error text,                           -- the last fault, in our own words
    error_kind text,
    created_at timestamptz not null default now(),
    finished_at timestamptz,
    check (window_start <= page_cursor and page_cursor <= window_end),
    check ((status = 'running') = (leased_until is not null)),
    check ((status in ('done', 'failed')) = (finished_at is not null))
);
-- one open job for each instrument: two would ask for the same pages
create unique index backfill_jobs_open on registry.backfill_jobs (instrument_id)
where status in ('queued', 'running', 'paused');
create index backfill_jobs_due on registry.backfill_jobs (source, next_try_at) where status = 'queued';
create index backfill_jobs_leases on registry.backfill_jobs (source, leased_until) where status = 'running';
create index backfill_jobs_finished on registry.backfill_jobs (finished_at) where finished_at is not null;
create index on registry.backfill_jobs (instrument_id, id);

-- One row for each price that a source told, newest version. Latest prices are bars of resolution `tick`, opened when
-- they were priced. The currency is part of the key: the ECB tells one euro in thirty currencies.
create table raw.bars (
    instrument_id text not null,
    source text not null,
    resolution text not null,
    opened_at timestamptz not null,
    priced_at timestamptz not null,       -- the instant of the close, within the bar: a day's is of that day
    open ops.amount,
    high ops.amount,
    low ops.amount,
    close ops.amount,                     -- null: the source gave no finite number
    volume ops.amount,
    currency text not null,
    is_time_told boolean not null default true,   -- false: the source tells no time, priced_at is when it was asked
    batch_id bigint not null references raw.batches,
    status text not null check (status in ('accepted', 'held', 'refused')),
    reason text check (reason is not null or status = 'accepted'),
    judged_at timestamptz not null default now(),
    primary key (instrument_id, resolution, opened_at, source, currency),
    check (close is not null or status = 'refused')
);
create index bars_held on raw.bars (instrument_id, resolution) where status = 'held';

-- What a bar said before a source corrected it.
create table raw.bar_revisions (
    revision_id bigint generated always as identity primary key,
    instrument_id text not null,
    source text not null,
    resolution text not null,
    opened_at timestamptz not null,
    priced_at timestamptz not null,
    open ops.amount,
    high ops.amount,
    low ops.amount,
    close ops.amount,
    volume ops.amount,
    currency text not null,
    batch_id bigint not null,             -- that brought it
    status text not null,
    reason text,
    replaced_by bigint not null references raw.batches,
    revised_at timestamptz not null default now()
);
create index on raw.bar_revisions (instrument_id, opened_at);

create table raw.source_actions (
    instrument_id text not null,
    source text not null,
    kind text not null check (kind in ('split', 'dividend')),
    ex_date date not null,
    ratio ops.amount,                     -- new shares for an old one
    amount ops.amount,                    -- a share, as paid that day
    currency text,
    batch_id bigint not null references raw.batches,
    seen_at timestamptz not null default now(),
    primary key (instrument_id, source, kind, ex_date)
);

-- The earliest instant for which a batch of prices or actions changed what is known: a run's fingerprint asks for it.
alter table raw.batches add column counts_from timestamptz;
create index batches_of_prices on raw.batches (batch_id) where counts_from is not null;

-- What each question cost and what came of it; 30 days are kept.
create table ops.fetch_log (
    fetch_id bigint generated always as identity primary key,
    source text not null,
    instrument_id text,                   -- null: many were asked for at once
    asked text not null,
    window_start timestamptz,
    window_end timestamptz,
    requests integer not null,
    cache_hits integer not null,
    outcome text not null check (outcome in ('complete', 'gaps', 'empty', 'partial', 'failed')),
    row_count integer not null,
    newest_at timestamptz,                -- of what came
    gaps tstzmultirange,                  -- what was expected and did not come; never filled
    duplicates_dropped integer not null,
    contradictions integer not null,
    open_dropped integer not null,
    outside_dropped integer not null,
    clock_skew_seconds double precision,
    failure_kind text,
    failure text,                         -- our own words: no key, no address
    run_id text,
    fetched_at timestamptz not null default now()
);
create index on ops.fetch_log (source, fetch_id);
create index on ops.fetch_log (fetched_at);

-- Whoever waits for new holdings is woken when one arrives that is not tracked yet; delivered at commit.
create function ops.announce_holdings() returns trigger language plpgsql as $$
begin
    if exists (
        select from (select distinct instrument_id from new_rows) as arrived
        where not exists (
            select from registry.tracked_instruments as tracked where tracked.instrument_id = arrived.instrument_id
        )
    ) then
        perform pg_notify('holdfast_holdings', tg_table_name);
    end if;
    return null;
end
$$;
create trigger announce_holdings after insert on raw.transactions
referencing new table as new_rows for each statement execute function ops.announce_holdings();
create trigger announce_holdings after insert on raw.balances
referencing new table as new_rows for each statement execute function ops.announce_holdings();
