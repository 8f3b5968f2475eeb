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
    end as error
from batches
left join newest on batches.source = newest.source
group by batches.source
