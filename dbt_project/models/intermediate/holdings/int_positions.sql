-- The positions of the portfolios that this run computes, cut to the days that it computes.
{{ config(indexes=[{'columns': ['portfolio_id']}]) }}
select
    positions.portfolio_id,
    portfolios.base_currency,
    positions.account_id,
    positions.instrument_id,
    greatest(positions.valid_from, coalesce(scope.from_date, '-infinity')) as first_date,
    least(coalesce(positions.valid_to - 1, 'infinity'), {{ run_as_of_date() }}) as last_date,
    positions.valid_to is null as is_current,
    positions.quantity,
    positions.quantity_at_cost_fx,
    positions.cost_base,
    positions.flow_basis,
    -- what only a chain shows, unpriced and undeclared, is visible and stays out of totals and coverage
    instruments.trust = 'trusted' as is_counted
from {{ source('ledger', 'ledger_positions') }} as positions
inner join {{ ref('int_portfolios') }} as portfolios on positions.portfolio_id = portfolios.portfolio_id
inner join {{ ref('int_instruments') }} as instruments on positions.instrument_id = instruments.instrument_id
inner join {{ source('ops', 'run_scope') }} as scope on positions.portfolio_id = scope.portfolio_id
where positions.valid_to is null or scope.from_date is null or positions.valid_to > scope.from_date
