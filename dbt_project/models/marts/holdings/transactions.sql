-- Transactions as the ledger took them, with their money in base currency.
select
    handed.transaction_id,
    handed.portfolio_id,
    portfolios.user_id,
    handed.account_id,
    handed.instrument_id,
    handed.executed_at,
    handed.executed_date,
    handed.type,
    handed.quantity,
    handed.amount_base,
    handed.fee_base,
    handed.tax_base,
    handed.group_id,
    handed.source_batch
from {{ source('ledger', 'ledger_transactions') }} as handed
inner join {{ ref('int_portfolios') }} as portfolios on handed.portfolio_id = portfolios.portfolio_id
inner join {{ source('ops', 'run_scope') }} as scope on handed.portfolio_id = scope.portfolio_id and scope.runs_ledger
