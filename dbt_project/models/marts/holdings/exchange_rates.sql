-- Exchange rates into the base currencies and USD by interval of days with one rate.
with

marked as (

    select
        currency, quote, fx_date, rate, rated_at, batch_id, line,
        lag(rated_at) over (partition by currency, quote order by fx_date) as rated_before,
        lag(rate) over (partition by currency, quote order by fx_date) as rate_before
    from {{ ref('int_fx_daily') }}
    where quote = 'fiat:USD' or quote in (select base_currency from {{ ref('int_portfolios') }})

)

select
    currency, quote, fx_date as valid_from,
    lead(fx_date) over (partition by currency, quote order by fx_date) as valid_to,
    rate, rated_at, batch_id, line
from marked
where rated_before is null or rated_before <> rated_at or rate_before <> rate
