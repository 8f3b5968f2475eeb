-- The observed balances of the portfolios that this run computes.
{{ config(materialized='view') }}
select balances.*
from {{ ref('stg_balances') }} as balances
inner join ops.run_scope as scope on balances.portfolio_id = scope.portfolio_id
