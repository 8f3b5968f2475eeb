-- Value of each portfolio at a moment: each close of the last two years, each week's and month's end, and this run's moment (auto; manual where
-- somebody asked for one).
with

-- the first computed day changes from the published one before it
days as (

    select
        portfolio_id, user_id, valuation_date, value_base, usd_rate, instruments_held, chains_held, coverage_ratio,
        is_complete, true as is_computed
    from {{ ref('portfolio_daily') }}
    union all
    select
        published.portfolio_id, published.user_id, published.valuation_date, published.value_base,
        published.usd_rate, published.instruments_held, published.chains_held, published.coverage_ratio,
        published.is_complete, false as is_computed
    from {{ ref('int_published_days') }} as published
    inner join {{ source('ops', 'run_scope') }} as scope
        on published.portfolio_id = scope.portfolio_id and published.valuation_date = scope.from_date - 1

),

valued as (

    select
        days.portfolio_id,
        days.user_id,
        days.valuation_date,
        days.value_base * days.usd_rate as total_value_usd,
        days.instruments_held,
        days.chains_held,
        days.coverage_ratio,
        days.is_complete,
        lag(days.value_base * days.usd_rate) over (
            partition by days.portfolio_id order by days.valuation_date
        ) as value_before_usd,
        days.is_computed
    from days

),

daily as (

    select * from valued
    where is_computed

),

typed as (

    select daily.*, 'daily' as snapshot_type from daily
    where valuation_date > {{ run_as_of_date() }} - 730
    union all
    select daily.*, 'weekly' as snapshot_type from daily where extract(isodow from valuation_date) = 7
    union all
    select daily.*, 'monthly' as snapshot_type from daily
    where valuation_date = (date_trunc('month', valuation_date) + interval '1 month - 1 day')::date
    union all
    select daily.*, 'auto' as snapshot_type from daily where valuation_date = {{ run_as_of_date() }}
    union all
    select daily.*, 'manual' as snapshot_type from daily
    where
        valuation_date = {{ run_as_of_date() }}
        and exists (
            select 1
            from {{ source('registry', 'snapshot_requests') }} as requests
            inner join {{ source('ops', 'current_run') }} as current_run on requests.run_id = current_run.run_id
            where requests.portfolio_id = daily.portfolio_id and requests.published_at is null
        )

),

-- the last read of each chain on a day, for the portfolios that had a wallet on it then
chain_reads as (

    select distinct on (wallets.portfolio_id, wallets.chain, (reads.counts_at at time zone 'UTC')::date)
        wallets.portfolio_id,
        wallets.chain,
        (reads.counts_at at time zone 'UTC')::date as read_date,
        reads.read_id,
        reads.asked_at,
        reads.is_failed,
        reads.cells_failed + reads.cells_quarantined > 0 as has_gaps
    from {{ ref('stg_wallets') }} as wallets
    inner join {{ source('ops', 'run_scope') }} as scope on wallets.portfolio_id = scope.portfolio_id
    inner join {{ ref('stg_chain_reads') }} as reads
        on wallets.chain = reads.chain and wallets.created_at <= reads.asked_at
    where scope.from_date is null or reads.counts_at >= scope.from_date::timestamp at time zone 'UTC'
    order by
        wallets.portfolio_id,
        wallets.chain,
        (reads.counts_at at time zone 'UTC')::date,
        reads.read_id desc

),

-- a chain that was read in part counts by the share of the portfolio's own balances that it told, as known after that read
read_in_part as (

    select
        chain_reads.portfolio_id,
        chain_reads.chain,
        chain_reads.read_date,
        avg((cells.status in ('ok', 'zero', 'unsupported'))::integer)::double precision as share_read
    from chain_reads
    inner join {{ ref('stg_wallets') }} as wallets
        on
            chain_reads.portfolio_id = wallets.portfolio_id
            and chain_reads.chain = wallets.chain
            and chain_reads.asked_at >= wallets.created_at
    cross join
        lateral (
            select distinct on (balances.instrument_id) balances.status
            from {{ source('raw', 'wallet_balances') }} as balances
            inner join {{ ref('stg_chain_reads') }} as reads on balances.read_id = reads.read_id
            where
                balances.chain = wallets.chain
                and balances.wallet = wallets.wallet
                and balances.read_id <= chain_reads.read_id
            order by balances.instrument_id asc, balances.balance_id desc
        ) as cells
    where chain_reads.has_gaps and not chain_reads.is_failed
    group by chain_reads.portfolio_id, chain_reads.chain, chain_reads.read_date

),

chain_coverage as (

    select
        chain_reads.portfolio_id,
        chain_reads.read_date,
        avg(case when chain_reads.is_failed then 0 else coalesce(read_in_part.share_read, 1) end)::double precision
            as chain_coverage_ratio
    from chain_reads
    left join read_in_part
        on
            chain_reads.portfolio_id = read_in_part.portfolio_id
            and chain_reads.chain = read_in_part.chain
            and chain_reads.read_date = read_in_part.read_date
    group by chain_reads.portfolio_id, chain_reads.read_date

)

select
    typed.portfolio_id,
    typed.user_id,
    snapshot_type,
    case
        when snapshot_type in ('auto', 'manual') then {{ run_cutoff_at() }}
        else (valuation_date + interval '1 day - 1 microsecond') at time zone 'UTC'
    end as snapshot_timestamp,
    valuation_date as snapshot_date,
    total_value_usd,
    instruments_held as total_assets_count,
    chains_held as total_chains_count,
    total_value_usd - value_before_usd as daily_change_usd,
    case
        when
            value_before_usd > 0.01
            then (100 * (total_value_usd - value_before_usd) / value_before_usd)::double precision
    end as daily_change_percent,
    coverage_ratio,
    -- no chain is asked when balances come from files: undefined, not complete
    chain_coverage.chain_coverage_ratio,
    is_complete
from typed
left join chain_coverage
    on typed.portfolio_id = chain_coverage.portfolio_id and typed.valuation_date = chain_coverage.read_date
where
    -- the day of the run may still be open: its daily, weekly and monthly closes come when it has ended
    snapshot_type in ('auto', 'manual')
    or (valuation_date + interval '1 day - 1 microsecond') at time zone 'UTC' <= {{ run_cutoff_at() }}
