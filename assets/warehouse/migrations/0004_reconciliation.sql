-- What was observed beside what was derived: handed to dbt by the ledger as its other results are.
create unlogged table intermediate.ledger_reconciliation (
    portfolio_id text not null,
    account_id text not null,
    instrument_id text not null,
    observed_at timestamptz not null,
    is_date_only boolean not null,
    observed_date date not null,
    observed_quantity ops.amount not null,
    derived_quantity ops.amount not null,
    difference ops.amount not null,       -- observed - derived
    tolerance ops.amount not null,        -- largest difference that counts as none
    difference_base ops.amount,           -- null: no price or no rate at that moment
    status text not null check (status in ('matched', 'mismatch', 'opening', 'observed_change', 'unchanged')),
    observed_as text not null,            -- instruments whose balances were compared, joined by ', '
    flow_id text                          -- the flow that an unexplained change became
);
create index on intermediate.ledger_reconciliation (portfolio_id);
