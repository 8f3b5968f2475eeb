-- Price of each held instrument in each base currency that needs it, with the ages of price and rate: a row for every day that
-- this run computes, without a price where there is none.
{{ config(indexes=[{'columns': ['instrument_id', 'base_currency', 'valuation_date'], 'unique': true}]) }}
with

needed as (

    select
        positions.instrument_id,
        positions.base_currency,
        instruments.pricing_instrument_id,
        instruments.quote_currency,
        instruments.asset_class,
        instruments.max_price_age_days,
        min(positions.first_date) as first_date
    from {{ ref('int_positions') }} as positions
    inner join {{ ref('int_instruments') }} as instruments on positions.instrument_id = instruments.instrument_id
    group by
        positions.instrument_id, positions.base_currency, instruments.pricing_instrument_id, instruments.quote_currency,
        instruments.asset_class, instruments.max_price_age_days

),

days as (

    select
        needed.*,
        series.day::date as valuation_date
    from needed
    cross join lateral generate_series(needed.first_date, {{ run_as_of_date() }}, interval '1 day') as series (day)

),

-- a currency is its own price; rates and yields are never valued
quoted as (

    select
        days.*,
        case when days.asset_class = 'fiat' then 1::numeric else prices.price end as price,
        prices.priced_at,
        case when days.asset_class = 'fiat' then 0 else prices.age_days end as age_days,
        coalesce(prices.is_observed, false) as is_observed,
        case when days.asset_class = 'fiat' then 'unit' else prices.source end as source
    from days
    left join {{ ref('int_price_daily') }} as prices
        on
            days.pricing_instrument_id = prices.instrument_id
            and days.valuation_date = prices.valuation_date
            and days.asset_class not in ('fiat', 'rate')

)

select
    quoted.instrument_id,
    quoted.base_currency,
    quoted.valuation_date,
    quoted.price,
    quoted.quote_currency,
    case when quoted.quote_currency = quoted.base_currency then 1::numeric else fx.rate end as fx_rate,
    quoted.price
    * case when quoted.quote_currency = quoted.base_currency then 1::numeric else fx.rate end as price_base,
    quoted.priced_at,
    coalesce(fx.rated_at, quoted.priced_at) as rated_at,
    quoted.age_days as price_age_days,
    fx.age_days as fx_age_days,
    -- an exchange rate that moves makes a market day for foreign cash too
    quoted.is_observed or (quoted.asset_class = 'fiat' and coalesce(fx.age_days, 1) = 0) as is_observed,
    quoted.source,
    case
        when quoted.age_days > quoted.max_price_age_days then 'stale_price'
        when fx.age_days > 5 then 'stale_fx'
    end as stale_reason
from quoted
left join {{ ref('int_fx_daily') }} as fx
    on
        quoted.quote_currency = fx.currency
        and quoted.base_currency = fx.quote
        and quoted.valuation_date = fx.fx_date
        and quoted.quote_currency <> quoted.base_currency
