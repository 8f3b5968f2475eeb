-- Every dated balance that counts at the as-of. A table: the views under it go through all transactions for each reader, and the
-- ledger alone reads it twice in each of its processes.
{{ config(materialized='table', indexes=[{'columns': ['portfolio_id']}]) }}
select
    portfolio_id, account_id, instrument_id, balance_at, is_date_only, balance_date, quantity, cost_base, batch_id,
    line, origin
from {{ ref('stg_balances') }}
