-- The observed balances of the portfolios that this run computes.
{{ config(materialized='view') }}
select
    balances.portfolio_id,
    balances.account_id,
    balances.instrument_id,
    balances.balance_at,
    balances.is_date_only,
    balances.balance_date,
    balances.quantity,
    balances.cost_base,
    balances.batch_id,
    balances.line
from {{ ref('int_all_balances') }} as balances
inner join ops.run_scope as scope on balances.portfolio_id = scope.portfolio_id
