-- Daily price returns of instruments in the base currencies that ask for them, splits undone, on the last known prices.
{{ config(tags=['measures']) }}
with

asked as (

    select distinct base_currency, benchmark as instrument_id
    from {{ ref('int_portfolios') }}
    where benchmark is not null
    union
    select distinct portfolios.base_currency, positions.instrument_id
    from {{ source('ledger', 'ledger_positions') }} as positions
    inner join {{ ref('int_portfolios') }} as portfolios on positions.portfolio_id = portfolios.portfolio_id
    where positions.instrument_id not like 'fiat:%'

),

priced as (

    select
        asked.base_currency,
        asked.instrument_id,
        prices.valuation_date,
        prices.is_observed,
        prices.price
        * case when prices.currency = asked.base_currency then 1 else fx.rate end
        * coalesce(splits.ratio, 1) as price_base,
        prices.price * case when prices.currency = asked.base_currency then 1 else fx.rate end as close_base
    from asked
    inner join {{ ref('int_instruments') }} as instruments on asked.instrument_id = instruments.instrument_id
    inner join {{ ref('int_price_daily') }} as prices
        on instruments.pricing_instrument_id = prices.instrument_id
    left join {{ ref('int_fx_daily') }} as fx
        on
            prices.currency = fx.currency
            and asked.base_currency = fx.quote
            and prices.valuation_date = fx.fx_date
    left join {{ ref('int_splits') }} as splits
        on asked.instrument_id = splits.instrument_id and prices.valuation_date = splits.ex_date
    where instruments.asset_class <> 'rate'

)

select
    base_currency,
    instrument_id,
    valuation_date,
    is_observed,
    (price_base / lag(close_base) over (
        partition by base_currency, instrument_id order by valuation_date
    ) - 1)::double precision as daily_return
from priced
where price_base is not null
