-- Dated balances, up to the run's cut-off: those of current files, and those that chains said of wallets.
select
    portfolio_id, account_id, instrument_id, balance_at, is_date_only, balance_date, quantity, cost_base, batch_id,
    line,
    'file' as origin
from {{ ref('stg_file_balances') }}
union all
select
    portfolio_id, account_id, instrument_id, balance_at, false as is_date_only, balance_date, quantity,
    null as cost_base, null as batch_id, null as line,
    'chain' as origin
from {{ ref('stg_wallet_balances') }}
