-- One row per portfolio and day: value, flows, the daily return, and every part of the gain; residual_base is what does not add up.
-- Without merge joins the days keep their order to the end: nothing is sorted again, and the publication's indexes fill faster.
{{ config(
    indexes=[{'columns': ['portfolio_id', 'valuation_date'], 'unique': true}],
    pre_hook="set local enable_mergejoin = off"
) }}
with

-- what the first computed day builds on: the last published day before it
seeds as (

    select published.*
    from {{ ref('int_published_days') }} as published
    inner join {{ source('ops', 'run_scope') }} as scope
        on published.portfolio_id = scope.portfolio_id and published.valuation_date = scope.from_date - 1

),

days as (

    select
        int_days.*,
        coalesce(
            lag(int_days.value_base) over by_day, seeds.value_base, 0::numeric
        ) as value_before_base,
        coalesce(
            lag(int_days.unrealized_price_base) over by_day, seeds.unrealized_price_base, 0::numeric
        ) as unrealized_price_before_base,
        coalesce(
            lag(int_days.unrealized_currency_base) over by_day,
            seeds.unrealized_pnl_base - seeds.unrealized_price_base, 0::numeric
        ) as unrealized_currency_before_base,
        coalesce(seeds.twr_index, 1) as index_before,
        coalesce(seeds.twr_peak, 1) as peak_before,
        row_number() over by_day as day_number
    from {{ ref('int_portfolio_days') }} as int_days
    left join seeds on int_days.portfolio_id = seeds.portfolio_id
    window by_day as (partition by int_days.portfolio_id order by int_days.valuation_date)

),

returns as (

    select
        days.*,
        case
            when value_before_base + inflow_base > 0
                then ((value_base + outflow_base) / (value_before_base + inflow_base) - 1)::double precision
        end as twr_return,
        unrealized_price_base - unrealized_price_before_base - carried_price_base as unrealized_change_base,
        unrealized_currency_base - unrealized_currency_before_base - carried_currency_base
        + realized_currency_base as currency_effect_base
    from days

),

linked as (

    select
        returns.*,
        -- a day without a return pauses the chain; it does not break it; the chain goes on from the index before, so that
        -- the same factors are multiplied in the same order whatever day the run begins with
        ops.product((case when day_number = 1 then index_before else 1 end) * (1 + coalesce(twr_return, 0))) over (
            partition by portfolio_id order by valuation_date rows between unbounded preceding and current row
        ) as twr_index
    from returns

),

peaked as (

    select
        linked.*,
        greatest(
            peak_before, max(twr_index) over (
                partition by portfolio_id order by valuation_date rows between unbounded preceding and current row
            )
        ) as twr_peak
    from linked

),

risk_free as (

    select
        instruments.instrument_id,
        prices.valuation_date,
        prices.price
    from {{ ref('int_price_daily') }} as prices
    inner join {{ ref('int_instruments') }} as instruments on prices.instrument_id = instruments.pricing_instrument_id

)

select
    peaked.portfolio_id,
    peaked.user_id,
    peaked.valuation_date,
    peaked.value_base,
    peaked.inflow_base,
    peaked.outflow_base,
    peaked.twr_return,
    peaked.twr_index,
    peaked.twr_index / peaked.twr_peak - 1 as drawdown,
    peaked.income_base,
    peaked.fees_base,
    peaked.taxes_base,
    peaked.trade_fees_base,
    peaked.trade_taxes_base,
    peaked.realized_price_base as realized_pnl_base,
    peaked.unrealized_change_base,
    peaked.currency_effect_base,
    peaked.value_base - peaked.value_before_base - peaked.inflow_base + peaked.outflow_base
    - peaked.realized_price_base - peaked.unrealized_change_base - peaked.income_base
    + peaked.fees_base + peaked.taxes_base - peaked.currency_effect_base as residual_base,
    peaked.unrealized_price_base + peaked.unrealized_currency_base as unrealized_pnl_base,
    case
        when peaked.positions_held = 0 then 1
        else peaked.positions_fresh::double precision / peaked.positions_held
    end as coverage_ratio,
    peaked.incomplete_reason is null as is_complete,
    peaked.incomplete_reason,
    case
        when peaked.twr_return is null then 'no_base'
        when
            peaked.value_before_base > 0
            and peaked.inflow_base + peaked.outflow_base > 0.1 * peaked.value_before_base
            and abs(peaked.twr_return) > 0.05
            then 'large_flow'
    end as twr_flag,
    case when peaked.base_currency = 'fiat:USD' then 1 else usd.rate end as usd_rate,
    peaked.is_market_day,
    peaked.trades_daily,
    case
        when peaked.risk_free_rate like '%:%' then (risk_free.price / 100)::double precision
        else peaked.risk_free_rate::double precision
    end as risk_free_rate,
    case when peaked.is_observed then 'observed' else 'ledger' end as flow_basis,
    peaked.positions_held::integer as positions_held,
    peaked.instruments_held::integer as instruments_held,
    peaked.chains_held::integer as chains_held,
    peaked.unrealized_price_base,
    peaked.twr_peak
from peaked
left join {{ ref('int_fx_daily') }} as usd
    on
        peaked.base_currency = usd.currency
        and usd.quote = 'fiat:USD'
        and peaked.valuation_date = usd.fx_date
left join risk_free
    on peaked.risk_free_rate = risk_free.instrument_id and peaked.valuation_date = risk_free.valuation_date
