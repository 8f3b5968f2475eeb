-- The transactions of the portfolios whose ledger this run computes. A view, and no source(): the scope is decided after the market models are built.
{{ config(materialized='view') }}
select
    transactions.sequence,
    transactions.transaction_id,
    transactions.portfolio_id,
    transactions.account_id,
    transactions.executed_at,
    transactions.is_date_only,
    transactions.executed_date,
    transactions.type,
    transactions.instrument_id,
    transactions.quantity,
    transactions.price,
    transactions.amount,
    transactions.currency,
    transactions.fx_rate,
    transactions.cash_account,
    transactions.fee,
    transactions.fee_currency,
    transactions.tax,
    transactions.group_id,
    transactions.external_id,
    transactions.note,
    transactions.batch_id,
    transactions.line
from {{ ref('int_all_transactions') }} as transactions
inner join ops.run_scope as scope on transactions.portfolio_id = scope.portfolio_id
where scope.runs_ledger
