-- Price observations that count, up to the run's cut-off: the owner's files, and sources on days without a price of the owner's.
with

own as (

    select
        prices.instrument_id,
        prices.priced_at,
        (prices.priced_at at time zone 'UTC')::date as price_date,
        prices.price,
        prices.currency,
        coalesce(prices.source, 'file') as source,
        prices.batch_id,
        prices.line
    from {{ source('raw', 'prices') }} as prices
    inner join {{ source('ops', 'input_files') }} as files on prices.batch_id = files.batch_id
    where prices.priced_at <= {{ run_cutoff_at() }}

)

select
    instrument_id, priced_at, price_date, price, currency, source, batch_id, line
from own
union all
select
    told.instrument_id, told.priced_at, told.price_date, told.price, told.currency, told.source, told.batch_id,
    null as line
from {{ ref('stg_source_prices') }} as told
where
    not exists (
        select 1 from own
        where
            own.instrument_id = told.instrument_id
            and own.price_date = told.price_date
            and (told.instrument_id not like 'fiat:%' or own.currency = told.currency)
    )
