-- External flows, positive into the portfolio.
select
    handed.portfolio_id,
    portfolios.user_id,
    handed.flow_id,
    handed.account_id,
    handed.instrument_id,
    handed.flowed_at,
    handed.flow_date,
    handed.amount_base,
    handed.kind,
    handed.source_transaction
from {{ source('ledger', 'ledger_flows') }} as handed
inner join {{ ref('int_portfolios') }} as portfolios on handed.portfolio_id = portfolios.portfolio_id
inner join {{ source('ops', 'run_scope') }} as scope on handed.portfolio_id = scope.portfolio_id and scope.runs_ledger
