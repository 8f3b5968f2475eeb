-- Price observations from current files, up to the run's cut-off.
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
