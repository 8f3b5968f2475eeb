-- Price of each held instrument in each base currency that needs it, for every day, with the ages of price and rate.
{{ config(indexes=[{'columns': ['instrument_id', 'base_currency', 'valuation_date'], 'unique': true}]) }}
with

needed as (

    select distinct
        positions.instrument_id,
        portfolios.base_currency,
        instruments.pricing_instrument_id,
        instruments.quote_currency,
        instruments.asset_class,
        instruments.max_price_age_days,
        min(positions.valid_from) over (partition by positions.instrument_id, portfolios.base_currency) as first_date
    from {{ source('ledger', 'ledger_positions') }} as positions
    inner join {{ ref('int_portfolios') }} as portfolios on positions.portfolio_id = portfolios.portfolio_id
    inner join {{ ref('int_instruments') }} as instruments on positions.instrument_id = instruments.instrument_id

),

-- a currency is its own price; rates and yields are never valued
quoted as (

    select
        needed.*,
        prices.valuation_date,
        prices.price,
        prices.priced_at,
        prices.age_days,
        prices.is_observed,
        prices.source
    from needed
    inner join {{ ref('int_price_daily') }} as prices
        on
            needed.pricing_instrument_id = prices.instrument_id
            and prices.valuation_date >= needed.first_date
    where needed.asset_class not in ('fiat', 'rate')
    union all
    select
        needed.*,
        days.day::date as valuation_date,
        1::numeric as price,
        null::timestamptz as priced_at,
        0 as age_days,
        false as is_observed,
        'unit' as source
    from needed
    cross join lateral generate_series(needed.first_date, {{ run_as_of_date() }}, interval '1 day') as days (day)
    where needed.asset_class = 'fiat'

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
