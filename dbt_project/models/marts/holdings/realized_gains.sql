-- Disposals by the lot that each one used.
select
    handed.portfolio_id,
    portfolios.user_id,
    handed.account_id,
    handed.instrument_id,
    handed.disposal_id,
    handed.lot_id,
    handed.disposed_at,
    handed.disposal_date,
    handed.acquired_at,
    handed.quantity,
    handed.proceeds_base,
    handed.cost_base,
    handed.fee_base,
    handed.gain_base,
    handed.gain_currency_base,
    handed.holding_days,
    handed.method,
    handed.is_missing_acquisition,
    handed.source_transaction
from {{ source('ledger', 'ledger_disposals') }} as handed
inner join {{ ref('int_portfolios') }} as portfolios on handed.portfolio_id = portfolios.portfolio_id
inner join {{ source('ops', 'run_scope') }} as scope on handed.portfolio_id = scope.portfolio_id and scope.runs_ledger
