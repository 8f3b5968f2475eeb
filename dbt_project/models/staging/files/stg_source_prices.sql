-- Accepted prices of sources up to the run's cut-off: of each instrument and day (of each pair of currencies and day) those of one source,
-- the first in the order of its class. All others stay in raw.bars, so another order needs no request.
{{ config(materialized='table', indexes=[{'columns': ['instrument_id', 'price_date']}]) }}
with

accepted as (

    select
        bars.instrument_id,
        bars.priced_at,
        (bars.priced_at at time zone 'UTC')::date as price_date,
        bars.close as price,
        bars.currency,
        bars.source,
        bars.batch_id,
        coalesce(
            custom.asset_class,
            case when bars.instrument_id like 'eip155:%' then 'token' else split_part(bars.instrument_id, ':', 1) end
        ) as asset_class,
        -- a currency has as many prices as there are others; the ECB tells one euro in thirty
        case when bars.instrument_id like 'fiat:%' then bars.currency end as pair
    from {{ source('raw', 'bars') }} as bars
    left join {{ source('registry', 'instruments') }} as custom on bars.instrument_id = custom.instrument
    where bars.status = 'accepted' and bars.priced_at <= {{ run_cutoff_at() }}

),

ranked as (

    select
        accepted.*,
        rank() over (
            partition by accepted.instrument_id, accepted.pair, accepted.price_date
            order by priorities.priority nulls last, accepted.source
        ) as position
    from accepted
    left join {{ ref('stg_source_priority') }} as priorities
        on accepted.asset_class = priorities.asset_class and accepted.source = priorities.source

)

select
    instrument_id, priced_at, price_date, price, currency, source, batch_id
from ranked
where position = 1
