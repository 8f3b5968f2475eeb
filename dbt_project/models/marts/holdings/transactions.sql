-- Transactions as the ledger took them, with their money in base currency.
select
    transactions.transaction_id,
    transactions.portfolio_id,
    portfolios.user_id,
    transactions.account_id,
    transactions.instrument_id,
    transactions.executed_at,
    transactions.executed_date,
    transactions.type,
    transactions.quantity,
    handed.amount_base,
    handed.fee_base,
    handed.tax_base,
    transactions.group_id,
    transactions.batch_id as source_batch
from {{ source('ledger', 'ledger_transactions') }} as handed
-- of the portfolios whose ledger ran: a sequence is this run's
inner join {{ ref('int_transactions') }} as transactions
    on handed.portfolio_id = transactions.portfolio_id and handed.sequence = transactions.sequence
inner join {{ ref('int_portfolios') }} as portfolios on transactions.portfolio_id = portfolios.portfolio_id
