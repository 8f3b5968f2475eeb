-- The transactions of the portfolios that this run computes. A view, and no source(): the scope is decided after the market models are built.
{{ config(materialized='view') }}
select transactions.*
from {{ ref('int_all_transactions') }} as transactions
inner join ops.run_scope as scope on transactions.portfolio_id = scope.portfolio_id
