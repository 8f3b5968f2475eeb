-- Sums over the positions of each portfolio and day: value, and the cost and acquisition-rate parts that split gain from currency.
-- A long history goes portfolio by portfolio: the days of one fit into memory, all positions on all days would be sorted on disk.
-- A few days of many portfolios are one join.
{{ config(indexes=[{'columns': ['portfolio_id', 'valuation_date'], 'unique': true}]) }}
with

-- inlined: a materialised list has no index, and each portfolio would read all of it
positions as not materialized (

    select * from {{ ref('int_positions') }}
    where is_counted

),

scope as not materialized (

    select
        portfolio_id,
        coalesce(from_date > {{ run_as_of_date() }} - 31, false) as is_short
    from {{ source('ops', 'run_scope') }}

),

-- an instrument in several accounts counts once; most portfolios have one account
spread as (

    select portfolio_id, instrument_id
    from positions
    where
        portfolio_id in (
            select several.portfolio_id
            from positions as several
            group by several.portfolio_id
            having min(several.account_id) <> max(several.account_id)
        )
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

),

totals as (

    select
        scope.portfolio_id,
        by_day.*
    from scope
    cross join
        lateral (
            select
                held.valuation_date,
                {{ position_sums() }}
            from positions
            inner join
                {{ ref('int_instruments') }} as instruments
                on positions.instrument_id = instruments.instrument_id
            inner join {{ ref('int_price_base') }} as held
                on
                    positions.instrument_id = held.instrument_id
                    and positions.base_currency = held.base_currency
                    and held.valuation_date between positions.first_date and positions.last_date
            where positions.portfolio_id = scope.portfolio_id
            group by held.valuation_date
        ) as by_day
    where not scope.is_short
    union all
    select
        positions.portfolio_id,
        held.valuation_date,
        {{ position_sums() }}
    from positions
    inner join scope on positions.portfolio_id = scope.portfolio_id and scope.is_short
    inner join {{ ref('int_instruments') }} as instruments on positions.instrument_id = instruments.instrument_id
    inner join {{ ref('int_price_base') }} as held
        on
            positions.instrument_id = held.instrument_id
            and positions.base_currency = held.base_currency
            and held.valuation_date between positions.first_date and positions.last_date
    group by positions.portfolio_id, held.valuation_date

)

select
    totals.*,
    totals.positions_held - coalesce(repeated.repetitions, 0) as instruments_held,
    coalesce(chains.chains_held, 0) as chains_held
from totals
left join
    repeated
    on totals.portfolio_id = repeated.portfolio_id and totals.valuation_date = repeated.valuation_date
left join chains on totals.portfolio_id = chains.portfolio_id and totals.valuation_date = chains.valuation_date
