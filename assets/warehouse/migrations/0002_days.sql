-- A run computes only what changed: portfolios as before, and of each portfolio only the days from the first that differs.

-- first day to compute, null for the whole history; a ledger whose inputs are the same is not run again
alter table ops.run_scope
    add column from_date date,
    add column runs_ledger boolean not null default true;

-- The ledger's results stay from run to run. These portfolios' rows are those of the last publication; the table is
-- unlogged like the results themselves, so that a crash empties both.
create unlogged table intermediate.ledger_done (
    portfolio_id text primary key
);

-- What the last publication was made from: its last instant, and the prices up to it by instrument and month.
create table ops.published_inputs (
    singleton boolean primary key default true check (singleton),
    cutoff_at timestamptz not null,
    as_of_date date not null
);
create table ops.price_prints (
    instrument_id text not null,          -- 'fx:<currency>:<quote>' for an exchange rate
    month date not null,
    print text not null,
    primary key (instrument_id, month)
);
alter table ops.portfolio_fingerprints
    add column events text,               -- hash of transactions and balances; `fingerprint` covers the settings
    add column analysis text;             -- hash of what only measures over all days look at
