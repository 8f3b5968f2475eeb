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

),

newest as (

    select 'file:prices' as source, max(priced_at) as newest_at from {{ ref('stg_prices') }}
    union all
    select 'file:transactions' as source, max(executed_at) as newest_at
    from {{ ref('int_all_transactions') }}
    union all
    select 'file:balances' as source, max(balance_at) as newest_at from {{ ref('stg_balances') }}

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
    end as error,
    null::bigint as requests,
    null::bigint as cache_hits
from batches
left join newest on batches.source = newest.source
group by batches.source
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
