-- Income receipts at market value of their moment.
select
    handed.portfolio_id,
    portfolios.user_id,
    handed.income_id,
    handed.account_id,
    handed.instrument_id,
    handed.received_at,
    handed.received_date,
    handed.kind,
    handed.quantity,
    handed.amount_base,
    handed.tax_base,
    handed.source_transaction
from {{ source('ledger', 'ledger_income') }} as handed
inner join {{ ref('int_portfolios') }} as portfolios on handed.portfolio_id = portfolios.portfolio_id
inner join {{ source('ops', 'run_scope') }} as scope on handed.portfolio_id = scope.portfolio_id and scope.runs_ledger
