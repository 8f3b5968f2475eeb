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
        (reads.counts_at at time zone 'UTC')::date as read_date,
        reads.is_failed
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

chain_coverage as (

    select
        portfolio_id,
        read_date,
        count(*) filter (where not is_failed)::double precision / count(*) as chain_coverage_ratio
    from chain_reads
    group by portfolio_id, read_date

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
