-- Observed exchange rates, both directions of each observed pair: units of quote for one unit of currency.
{{ config(indexes=[{'columns': ['currency', 'quote', 'rated_at']}]) }}
with

observed as (

    -- qualified: a bare `currency` would mean the output column of that name, which is the instrument
    select distinct on (prices.instrument_id, prices.currency, prices.priced_at)
        prices.instrument_id as currency,
        prices.currency as quote,
        prices.priced_at as rated_at,
        prices.price_date as rate_date,
        prices.price as rate,
        prices.batch_id,
        prices.line
    from {{ ref('stg_prices') }} as prices
    where
        prices.instrument_id like 'fiat:%'
        and prices.currency like 'fiat:%'
        and prices.instrument_id <> prices.currency
    order by
        prices.instrument_id asc, prices.currency asc, prices.priced_at asc, prices.batch_id desc, prices.line desc

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
