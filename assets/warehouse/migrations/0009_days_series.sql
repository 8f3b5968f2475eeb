-- The published days of each portfolio as the measures read them, packed by month: a day more reads a row a month, where
-- it read and converted each day of the year again. Unlogged like intermediate.ledger_done, so that a crash empties both
-- and everything is computed again. `assets/performance/packed_days.py` knows what the bytes are.
create unlogged table intermediate.published_months (
    portfolio_id text not null,
    month date not null,                  -- its first day
    first_date date not null,             -- of the days
    days bytea not null,                  -- a record for each day
    events bytea not null,                -- a record for each day with a flow, income, fees, a tax or a realised gain
    primary key (portfolio_id, month)
);
-- What the run in progress makes of them, whole months from that of ops.run_scope.from_date on.
create unlogged table intermediate.computed_months (
    portfolio_id text not null,
    month date not null,
    first_date date not null,
    days bytea not null,
    events bytea not null
);
-- of the last year alone, for a rule of allocation_risk: to sum the days up in SQL reads all of them again
alter table intermediate.performance
    add column costs_base ops.amount,
    add column average_value_base ops.amount;
