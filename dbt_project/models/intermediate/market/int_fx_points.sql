-- Observed exchange rates, both directions of each observed pair: units of quote for one unit of currency.
with

observed as (

    select distinct on (instrument_id, currency, priced_at)
        instrument_id as currency,
        currency as quote,
        priced_at as rated_at,
        price_date as rate_date,
        price as rate,
        batch_id,
        line
    from {{ ref('stg_prices') }}
    where instrument_id like 'fiat:%' and currency like 'fiat:%' and instrument_id <> currency
    order by instrument_id asc, currency asc, priced_at asc, batch_id desc, line desc

),

both_directions as (

    select
        currency, quote, rated_at, rate_date, rate, batch_id, line, 1 as preference
    from observed
    union all
    select
        quote as currency, currency as quote, rated_at, rate_date,
        -- 30 decimals: a division of numerics keeps only about 16 significant digits by itself
        1.000000000000000000000000000000 / rate as rate,
        batch_id, line, 2 as preference
    from observed

)

select distinct on (currency, quote, rated_at)
    currency, quote, rated_at, rate_date, rate, batch_id, line
from both_directions
order by currency, quote, rated_at, preference
