-- Exchange rates into the base currencies and USD by interval of days with one rate.
with

marked as (

    select
        rates.*,
        lag(rated_at) over by_day is distinct from rated_at or lag(rate) over by_day is distinct from rate as is_new
    from {{ ref('int_fx_daily') }} as rates
    where quote = 'fiat:USD' or quote in (select base_currency from {{ ref('int_portfolios') }})
    window by_day as (partition by currency, quote order by fx_date)

)

select
    currency, quote, fx_date as valid_from,
    lead(fx_date) over (partition by currency, quote order by fx_date) as valid_to,
    rate, rated_at, batch_id, line
from marked
where is_new
