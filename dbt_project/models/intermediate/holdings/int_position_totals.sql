-- Sums over the positions of each portfolio and day: value, and the cost and acquisition-rate parts that split gain from currency.
-- It goes portfolio by portfolio: the days of one fit into memory, all positions on all days would be sorted on disk.
{{ config(indexes=[{'columns': ['portfolio_id', 'valuation_date'], 'unique': true}]) }}
with

positions as (

    select * from {{ ref('int_positions') }}

),

-- an instrument in several accounts counts once
spread as (

    select portfolio_id, instrument_id
    from positions
    group by portfolio_id, instrument_id
    having min(account_id) <> max(account_id)

),

repeated as (

    select
        portfolio_id,
        valuation_date,
        sum(accounts - 1)::bigint as repetitions
    from (
        select positions.portfolio_id, positions.instrument_id, days.day::date as valuation_date, count(*) as accounts
        from positions
        inner join spread
            on positions.portfolio_id = spread.portfolio_id and positions.instrument_id = spread.instrument_id
        cross join lateral generate_series(positions.first_date, positions.last_date, interval '1 day') as days (day)
        group by positions.portfolio_id, positions.instrument_id, days.day
    ) as counted
    where accounts > 1
    group by portfolio_id, valuation_date

),

chains as (

    select positions.portfolio_id, days.day::date as valuation_date, count(distinct instruments.chain) as chains_held
    from positions
    inner join {{ ref('int_instruments') }} as instruments on positions.instrument_id = instruments.instrument_id
    cross join lateral generate_series(positions.first_date, positions.last_date, interval '1 day') as days (day)
    where instruments.chain is not null
    group by positions.portfolio_id, days.day

)

select
    portfolios.portfolio_id,
    totals.*,
    totals.positions_held - coalesce(repeated.repetitions, 0) as instruments_held,
    coalesce(chains.chains_held, 0) as chains_held
from {{ ref('int_portfolios') }} as portfolios
cross join
    lateral (
        select
            held.valuation_date,
            sum(positions.quantity * held.price_base) as value_base,
            sum(positions.cost_base) filter (where held.price_base is not null) as cost_base,
            sum(positions.quantity_at_cost_fx * held.price) filter (where held.price_base is not null)
                as value_at_cost_fx,
            count(*) as positions_held,
            count(held.price_base) as positions_valued,
            count(held.price_base) filter (where held.stale_reason is null) as positions_fresh,
            bool_or(held.is_observed) as is_market_day,
            bool_or(instruments.annualization_days = 365) as trades_daily,
            bool_or(positions.flow_basis = 'observed') as is_observed,
            bool_or(held.price is null) as is_price_missing,
            bool_or(held.price is not null and held.price_base is null) as is_fx_missing,
            bool_or(held.stale_reason = 'stale_price') as is_price_stale,
            bool_or(held.stale_reason = 'stale_fx') as is_fx_stale
        from positions
        inner join {{ ref('int_instruments') }} as instruments on positions.instrument_id = instruments.instrument_id
        inner join {{ ref('int_price_base') }} as held
            on
                positions.instrument_id = held.instrument_id
                and held.base_currency = portfolios.base_currency
                and held.valuation_date between positions.first_date and positions.last_date
        where positions.portfolio_id = portfolios.portfolio_id
        group by held.valuation_date
    ) as totals
left join
    repeated
    on portfolios.portfolio_id = repeated.portfolio_id and totals.valuation_date = repeated.valuation_date
left join chains on portfolios.portfolio_id = chains.portfolio_id and totals.valuation_date = chains.valuation_date
