-- Sums over the positions of each portfolio and day: value, and the cost and acquisition-rate parts that split gain from currency.
{{ config(indexes=[{'columns': ['portfolio_id', 'valuation_date'], 'unique': true}]) }}
with

held as (

    select
        positions.portfolio_id,
        positions.instrument_id,
        portfolios.base_currency,
        days.day::date as valuation_date,
        positions.quantity,
        positions.quantity_at_cost_fx,
        positions.cost_base,
        positions.flow_basis
    from {{ source('ledger', 'ledger_positions') }} as positions
    inner join {{ ref('int_portfolios') }} as portfolios on positions.portfolio_id = portfolios.portfolio_id
    cross join lateral generate_series(
        positions.valid_from,
        least(coalesce(positions.valid_to - 1, {{ run_as_of_date() }}), {{ run_as_of_date() }}),
        interval '1 day'
    ) as days (day)

)

select
    held.portfolio_id,
    held.valuation_date,
    sum(held.quantity * prices.price_base) as value_base,
    sum(held.cost_base) filter (where prices.price_base is not null) as cost_base,
    sum(held.quantity_at_cost_fx * prices.price) filter (where prices.price_base is not null) as value_at_cost_fx,
    count(*) as positions_held,
    count(prices.price_base) as positions_valued,
    count(prices.price_base) filter (where prices.stale_reason is null) as positions_fresh,
    count(distinct held.instrument_id) as instruments_held,
    bool_or(prices.is_observed) as is_market_day,
    bool_or(instruments.annualization_days = 365) as trades_daily,
    bool_or(held.flow_basis = 'observed') as is_observed,
    bool_or(prices.price is null) as is_price_missing,
    bool_or(prices.price is not null and prices.price_base is null) as is_fx_missing,
    bool_or(prices.stale_reason = 'stale_price') as is_price_stale,
    bool_or(prices.stale_reason = 'stale_fx') as is_fx_stale,
    count(distinct coalesce(instruments.chain, '')) filter (where instruments.chain is not null) as chains_held
from held
inner join {{ ref('int_instruments') }} as instruments on held.instrument_id = instruments.instrument_id
left join {{ ref('int_price_base') }} as prices
    on
        held.instrument_id = prices.instrument_id
        and held.base_currency = prices.base_currency
        and held.valuation_date = prices.valuation_date
group by held.portfolio_id, held.valuation_date
