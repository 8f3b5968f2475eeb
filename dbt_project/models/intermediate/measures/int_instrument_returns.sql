-- Daily returns of instruments in the base currencies that ask for them: splits undone, known dividends added.
-- Without merge joins: the currencies asked for come sorted, so the planner merged with the rates by currency alone, and threw 68 million
-- pairs of other days away for 50 instruments of a year.
{{ config(
    tags=['holdings'],
    indexes=[{'columns': ['instrument_id', 'base_currency', 'valuation_date']}],
    pre_hook="set local enable_mergejoin = off"
) }}
with

asked as (

    select distinct base_currency, benchmark as instrument_id
    from {{ ref('int_portfolios') }}
    where benchmark is not null
    union
    select distinct portfolios.base_currency, positions.instrument_id
    from {{ source('ledger', 'ledger_positions') }} as positions
    inner join {{ ref('int_portfolios') }} as portfolios on positions.portfolio_id = portfolios.portfolio_id
    inner join {{ source('ops', 'run_scope') }} as scope on positions.portfolio_id = scope.portfolio_id
    where positions.instrument_id not like 'fiat:%'

),

dividends as (

    select instrument_id, ex_date, currency, sum(amount) as amount
    from {{ ref('stg_corporate_actions') }}
    where kind = 'dividend'
    group by instrument_id, ex_date, currency

),

-- in each currency that asks, here, where they are few; one without a rate leaves the day without a return
converted_dividends as (

    select
        asked.base_currency,
        asked.instrument_id,
        dividends.ex_date,
        case
            when dividends.currency = asked.base_currency then dividends.amount
            else dividends.amount * fx.rate
        end as amount_base
    from asked
    inner join dividends on asked.instrument_id = dividends.instrument_id
    left join {{ ref('int_fx_daily') }} as fx
        on
            dividends.currency = fx.currency
            and asked.base_currency = fx.quote
            and dividends.ex_date = fx.fx_date
    where dividends.amount is not null

),

-- a split shows in the first price from its ex-date on, not in one that is carried over it
splits as (

    select splits.instrument_id, min(prices.valuation_date) as shown_date, splits.ex_date, splits.ratio
    from {{ ref('int_splits') }} as splits
    inner join {{ ref('int_price_daily') }} as prices
        on
            splits.instrument_id = prices.instrument_id
            and prices.valuation_date >= splits.ex_date
            and prices.is_observed
    group by splits.instrument_id, splits.ex_date, splits.ratio

),

priced as (

    select
        asked.base_currency,
        asked.instrument_id,
        prices.valuation_date,
        prices.is_observed,
        prices.price
        * case when prices.currency = asked.base_currency then 1 else fx.rate end
        * coalesce(splits.ratio, 1)
        + case when dividends.ex_date is null then 0 else dividends.amount_base end as price_base,
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
    left join splits
        on asked.instrument_id = splits.instrument_id and prices.valuation_date = splits.shown_date
    left join converted_dividends as dividends
        on
            asked.base_currency = dividends.base_currency
            and asked.instrument_id = dividends.instrument_id
            and prices.valuation_date = dividends.ex_date
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
where close_base is not null
