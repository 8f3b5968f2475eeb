-- Balances from current files, up to the run's cut-off; of two at one moment the newer batch wins.
select distinct on (balances.portfolio_id, balances.account_id, balances.instrument_id, balances.balance_at)
    balances.portfolio_id,
    balances.account_id,
    balances.instrument_id,
    balances.balance_at,
    balances.is_date_only,
    (balances.balance_at at time zone 'UTC')::date as balance_date,
    balances.quantity,
    balances.cost_base,
    balances.batch_id,
    balances.line
from {{ source('raw', 'balances') }} as balances
inner join {{ source('ops', 'input_files') }} as files on balances.batch_id = files.batch_id
where balances.balance_at <= {{ run_cutoff_at() }}
order by
    balances.portfolio_id,
    balances.account_id,
    balances.instrument_id,
    balances.balance_at,
    balances.batch_id desc,
    balances.line desc
