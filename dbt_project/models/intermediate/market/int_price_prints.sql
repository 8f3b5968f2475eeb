-- One hash per instrument and month of its prices (or of a pair's rates) that count at this as-of, and of those that counted at the
-- last publication; month -infinity stands for what is known of the instrument itself.
{{ config(indexes=[{'columns': ['instrument_id', 'month'], 'unique': true}]) }}
with

observations as (

    select
        instrument_id,
        date_trunc('month', priced_at at time zone 'UTC')::date as month,
        priced_at as observed_at,
        concat_ws('|', priced_at, price, currency, source) as content
    from {{ ref('int_price_points') }}
    union all
    select
        concat_ws(':', 'fx', currency, quote) as instrument_id,
        date_trunc('month', rated_at at time zone 'UTC')::date as month,
        rated_at as observed_at,
        rate::text as content
    from {{ ref('int_fx_points') }}
    union all
    select
        instrument_id,
        '-infinity'::date as month,
        '-infinity'::timestamptz as observed_at,
        concat_ws(
            '|', name, asset_class, asset_type, quote_currency, canonical_instrument, pricing_instrument_id,
            annualization_days, max_price_age_days, category, protocol, chain, trust
        ) as content
    from {{ ref('int_instruments') }}

),

hashed as (

    select
        instrument_id,
        month,
        observed_at,
        hashtextextended(concat_ws('|', observed_at, content), 0) as hash
    from observations

)

select
    instrument_id,
    month,
    sum(hash)::text as print,
    sum(hash) filter (
        where observed_at <= (select published.cutoff_at from {{ source('ops', 'published_inputs') }} as published)
    )::text as print_before
from hashed
group by instrument_id, month
