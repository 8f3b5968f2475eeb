-- The price of a receipt without a price of its own: the sum of its components per unit, each at its last price; anew whenever
-- the components or one of their prices change. No price where a component has none, or one older than its limit.
with

quoted as (

    select distinct instrument_id from {{ ref('int_quoted_prices') }}

),

receipts as (

    select instruments.instrument_id, instruments.quote_currency
    from {{ ref('int_instruments') }} as instruments
    left join quoted on instruments.pricing_instrument_id = quoted.instrument_id
    where quoted.instrument_id is null

),

sets as (

    select
        listed.*,
        lead(listed.valid_from) over (partition by listed.instrument_id order by listed.valid_from) as valid_to
    from (
        select distinct on (positions.instrument_id, reads.counts_at)
            positions.instrument_id,
            positions.read_id,
            receipts.quote_currency,
            reads.counts_at as valid_from
        from {{ source('raw', 'wallet_positions') }} as positions
        inner join receipts on positions.instrument_id = receipts.instrument_id
        inner join {{ ref('stg_chain_reads') }} as reads on positions.read_id = reads.read_id
        order by positions.instrument_id asc, reads.counts_at asc, positions.read_id desc
    ) as listed

),

components as (

    select
        sets.instrument_id,
        sets.quote_currency,
        sets.valid_from,
        sets.valid_to,
        positions.component_id,
        positions.per_unit,
        instruments.pricing_instrument_id,
        instruments.max_price_age_days
    from sets
    inner join {{ source('raw', 'wallet_positions') }} as positions
        on sets.instrument_id = positions.instrument_id and sets.read_id = positions.read_id
    left join {{ ref('int_instruments') }} as instruments on positions.component_id = instruments.instrument_id

),

moments as (

    select instrument_id, valid_from, valid_from as priced_at from sets
    union
    select components.instrument_id, components.valid_from, prices.priced_at
    from components
    inner join {{ ref('int_quoted_prices') }} as prices
        on
            components.pricing_instrument_id = prices.instrument_id
            and prices.priced_at > components.valid_from
            and prices.priced_at < coalesce(components.valid_to, 'infinity')

),

hubs as (

    {{ fx_hubs() }}

),

priced as (

    select
        components.instrument_id,
        components.quote_currency,
        moments.priced_at,
        components.per_unit * last.price
        * case when last.currency = components.quote_currency then 1 else coalesce(fx.rate, crossed.rate) end as value,
        (moments.priced_at at time zone 'UTC')::date - last.price_date <= components.max_price_age_days as is_fresh
    from components
    inner join moments
        on components.instrument_id = moments.instrument_id and components.valid_from = moments.valid_from
    left join lateral (
        select prices.price, prices.currency, prices.price_date
        from {{ ref('int_quoted_prices') }} as prices
        where prices.instrument_id = components.pricing_instrument_id and prices.priced_at <= moments.priced_at
        order by prices.priced_at desc
        limit 1
    ) as last on true
    left join lateral (
        select direct.rate
        from ({{ last_fx_rate('last.currency', 'components.quote_currency', 'moments.priced_at') }}) as direct
        where last.currency <> components.quote_currency
    ) as fx on true
    left join lateral (
        {{ crossed_fx_rate(
            'last.currency', 'components.quote_currency', 'moments.priced_at',
            'last.currency <> components.quote_currency and fx.rate is null'
        ) }}
    ) as crossed on true

)

select
    instrument_id,
    priced_at,
    (priced_at at time zone 'UTC')::date as price_date,
    sum(value) as price,
    quote_currency as currency
from priced
group by instrument_id, quote_currency, priced_at
-- a price of zero or less is none: what is owed outweighs what is there
having bool_and(value is not null and is_fresh) and sum(value) > 0
