-- Quantity and cost of each position by interval of days; holdings_daily expands it.
select
    positions.portfolio_id, portfolios.user_id, positions.account_id, positions.instrument_id,
    positions.valid_from, positions.valid_to, positions.quantity, positions.cost_base, positions.flow_basis
from {{ source('ledger', 'ledger_positions') }} as positions
inner join {{ ref('int_portfolios') }} as portfolios on positions.portfolio_id = portfolios.portfolio_id
inner join {{ source('ops', 'run_scope') }} as scope
    on positions.portfolio_id = scope.portfolio_id and scope.runs_ledger
