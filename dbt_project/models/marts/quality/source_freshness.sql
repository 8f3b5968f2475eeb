-- When each source last delivered something that counts, and how far its newest observation lags behind the as-of.
with

batches as (

    select
        'file:' || files.kind as source,
        batches.batch_id,
        batches.received_at,
        batches.quarantined_count
    from {{ source('ops', 'input_files') }} as files
    inner join {{ source('raw', 'batches') }} as batches on files.batch_id = batches.batch_id
    where batches.source = 'file'

),

newest as (

    select 'file:prices' as source, max(priced_at) as newest_at from {{ ref('stg_prices') }}
    union all
    select 'file:transactions' as source, max(executed_at) as newest_at
    from {{ ref('int_all_transactions') }}
    union all
    select 'file:balances' as source, max(balance_at) as newest_at from {{ ref('stg_file_balances') }}

),

chains as (

    select distinct chain from {{ ref('stg_wallets') }}

),

last_reads as (

    select last.*, good.asked_at as last_success_at, good.counts_at as newest_at
    from chains
    cross join
        lateral (
            select
                reads.chain, reads.asked_at, reads.is_failed, reads.failure, reads.problems, reads.cells_failed,
                reads.cells_quarantined, reads.is_reorganised
            from {{ ref('stg_chain_reads') }} as reads
            where reads.chain = chains.chain
            order by reads.read_id desc
            limit 1
        ) as last
    left join lateral (
        select reads.asked_at, reads.counts_at
        from {{ ref('stg_chain_reads') }} as reads
        where reads.chain = chains.chain and not reads.is_failed
        order by reads.read_id desc
        limit 1
    ) as good on true

),

files as (

    select
        batches.source,
        max(batches.received_at) as last_success_at,
        max(newest.newest_at) as newest_observation_at,
        extract(epoch from {{ run_cutoff_at() }} - max(newest.newest_at))::bigint as lag_seconds,
        case
            when sum(batches.quarantined_count) > 0 then 'degraded'
            -- what a person writes down is as fresh as the last thing that happened; prices age by themselves
            when
                batches.source = 'file:prices' and {{ run_cutoff_at() }} - max(newest.newest_at) > interval '5 days'
                then 'stale'
            else 'ok'
        end as status,
        case
            when sum(batches.quarantined_count) > 0
                then sum(batches.quarantined_count) || ' rows in quarantine: see quality.quarantined_rows'
        end as error
    from batches
    left join newest on batches.source = newest.source
    group by batches.source

),

-- the oldest account tells how fresh a source is: each was whole when it last answered
accounts as (

    select
        'account:' || states.source as source,
        case when count(states.last_success_at) = count(*) then min(states.last_success_at) end as last_success_at,
        case when count(states.last_success_at) = count(*) then min(states.last_success_at) end
            as newest_observation_at,
        extract(epoch from {{ run_cutoff_at() }} - min(states.last_success_at))::bigint as lag_seconds,
        count(*) filter (where states.outcome <> 'ok') as failed,
        count(*) as asked,
        min(states.failure) filter (where states.outcome <> 'ok') as first_failure
    from {{ source('ops', 'account_states') }} as states
    inner join {{ source('registry', 'accounts') }} as registered
        on states.portfolio_id = registered.portfolio_id and states.account_id = registered.id
    where registered.is_active
    group by states.source

),

-- what a source says it does not serve is no fault of it: the job that asked tells (registry.backfill_jobs)
questions as (

    select
        fetches.source,
        fetches.fetched_at,
        fetches.newest_at,
        fetches.requests,
        fetches.cache_hits,
        fetches.failure,
        fetches.outcome in ('complete', 'gaps', 'empty') as is_answered,
        fetches.outcome in ('partial', 'failed') and coalesce(fetches.failure_kind, '') <> 'permanent' as is_failed,
        fetches.fetched_at > max(fetches.fetched_at) over (partition by fetches.source) - interval '24 hours'
            as is_recent,
        fetches.fetch_id
    from {{ source('ops', 'fetch_log') }} as fetches

),

price_sources as (

    select
        'prices:' || source as source,
        max(fetched_at) as last_asked_at,
        max(fetched_at) filter (where is_answered) as last_success_at,
        max(fetched_at) filter (where is_failed) as last_failed_at,
        max(newest_at) as newest_at,
        sum(requests) filter (where is_recent) as requests,
        sum(cache_hits) filter (where is_recent) as cache_hits,
        (array_agg(failure order by fetch_id desc) filter (where is_failed))[1] as failure
    from questions
    group by source

)

select
    source, last_success_at, newest_observation_at, lag_seconds, status, error,
    null::bigint as requests,
    null::bigint as cache_hits
from files
union all
select
    source,
    last_success_at,
    newest_observation_at,
    case when last_success_at is not null then lag_seconds end as lag_seconds,
    case when failed = 0 then 'ok' when failed < asked then 'degraded' else 'failed' end as status,
    case when failed > 0 then failed || ' of ' || asked || ' accounts: ' || first_failure end as error,
    null::bigint as requests,
    null::bigint as cache_hits
from accounts
union all
select
    'chain:' || last_reads.chain as source,
    last_reads.last_success_at,
    last_reads.newest_at as newest_observation_at,
    extract(epoch from {{ run_cutoff_at() }} - last_reads.newest_at)::bigint as lag_seconds,
    case
        when last_reads.is_failed then 'failed'
        -- balances are asked every hour; two of them may pass before somebody should look
        when {{ run_cutoff_at() }} - last_reads.asked_at > interval '2 hours' then 'stale'
        when
            last_reads.cells_failed + last_reads.cells_quarantined > 0
            or last_reads.problems is not null
            or last_reads.is_reorganised
            then 'degraded'
        else 'ok'
    end as status,
    coalesce(
        last_reads.failure,
        nullif(
            concat_ws(
                '; ',
                case when last_reads.cells_failed > 0 then last_reads.cells_failed || ' balances not read' end,
                case
                    when last_reads.cells_quarantined > 0
                        then last_reads.cells_quarantined || ' balances in quarantine'
                end,
                case when last_reads.is_reorganised then 'the block of the read before is gone' end,
                last_reads.problems
            ), ''
        )
    ) as error,
    null::bigint as requests,
    null::bigint as cache_hits
from last_reads
union all
select
    price_sources.source,
    price_sources.last_success_at,
    price_sources.newest_at as newest_observation_at,
    extract(epoch from {{ run_cutoff_at() }} - price_sources.newest_at)::bigint as lag_seconds,
    case
        when
            price_sources.last_failed_at is not null
            and coalesce(price_sources.last_success_at < price_sources.last_failed_at - interval '1 day', true)
            then 'failed'
        when price_sources.last_failed_at > price_sources.last_success_at then 'degraded'
        -- newest prices are asked for every quarter of an hour
        when {{ run_cutoff_at() }} - price_sources.last_asked_at > interval '2 hours' then 'stale'
        else 'ok'
    end as status,
    case
        when price_sources.last_failed_at > coalesce(price_sources.last_success_at, '-infinity')
            then price_sources.failure
    end as error,
    price_sources.requests::bigint as requests,
    price_sources.cache_hits::bigint as cache_hits
from price_sources
