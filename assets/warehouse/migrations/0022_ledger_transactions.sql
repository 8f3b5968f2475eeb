-- The ledger hands on what a transaction comes to in base currency; the transaction itself is in int_transactions.
drop table intermediate.ledger_transactions cascade;
create unlogged table intermediate.ledger_transactions (
    portfolio_id text not null,
    sequence bigint not null,             -- of int_transactions in the run that wrote the row
    amount_base ops.amount,
    fee_base ops.amount,
    tax_base ops.amount
);
create index on intermediate.ledger_transactions (portfolio_id);
-- nothing is left of what earlier runs computed
truncate intermediate.ledger_done;
