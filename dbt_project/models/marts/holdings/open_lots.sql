-- Open lots at the as-of date; unit cost in base currency.
select
    handed.portfolio_id,
    portfolios.user_id,
    handed.account_id,
    handed.instrument_id,
    handed.lot_id,
    handed.acquired_at,
    handed.quantity,
    handed.unit_cost,
    handed.cost_base,
    handed.source_transaction,
    handed.is_missing_acquisition
from {{ source('ledger', 'ledger_lots') }} as handed
inner join {{ ref('int_portfolios') }} as portfolios on handed.portfolio_id = portfolios.portfolio_id
inner join {{ source('ops', 'run_scope') }} as scope on handed.portfolio_id = scope.portfolio_id and scope.runs_ledger
