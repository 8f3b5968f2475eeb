-- One row per instrument and day with a price: the price that counts from that day's close until the next one.
select
    daily.instrument_id,
    daily.price_date as valid_from,
    lead(daily.price_date) over (partition by daily.instrument_id order by daily.price_date) as valid_to,
    daily.price,
    daily.currency,
    daily.priced_at,
    daily.source,
    daily.batch_id,
    daily.line
from (
    select distinct on (instrument_id, price_date)
        instrument_id, price_date, price, currency, priced_at, source, batch_id, line
    from {{ ref('int_price_points') }}
    order by instrument_id asc, price_date asc, priced_at desc
) as daily
