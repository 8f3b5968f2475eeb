-- What chains said of wallets. A wallet in several portfolios is read once, so nothing here names a portfolio.

-- One row for each chain and run. A chain's block counts as long as it is on the chain: superseded_by is the read that
-- found it gone.
create table raw.chain_reads (
    read_id bigint generated always as identity primary key,
    run_id text not null,
    chain text not null,
    turn integer not null,                -- reads of this chain without a failure, this one included
    asked_at timestamptz not null,
    block_number bigint,                  -- null: no endpoint could be trusted with one
    block_hash text,
    block_at timestamptz,                 -- the chain's own time
    counts_at timestamptz not null,       -- the block's time, or when it was asked; never after the run's as-of
    endpoint text,                        -- a label, never an address
    tries integer not null,
    seconds double precision not null,
    cells_ok integer not null,
    cells_zero integer not null,
    cells_failed integer not null,
    cells_unsupported integer not null,
    cells_quarantined integer not null,
    positions integer not null,
    is_reorganised boolean not null,
    superseded_by bigint references raw.chain_reads,
    failure text,                         -- why the chain as a whole was not read; null: it was
    problems text
);
create index on raw.chain_reads (chain, read_id);
create index on raw.chain_reads (run_id);

-- Append-only: a row when the status or the amount of a cell differs from what was known, positions included. A held
-- cell is asked in every read of its chain, so without a newer row a later read confirms it.
create table raw.wallet_balances (
    balance_id bigint generated always as identity primary key,
    read_id bigint not null,              -- of raw.chain_reads; a foreign key would be checked row by row
    chain text not null,
    wallet text not null,
    instrument_id text not null,
    status text not null check (status in ('ok', 'zero', 'failed', 'unsupported', 'quarantined')),
    raw_amount numeric(78, 0) check ((raw_amount is null) = (status not in ('ok', 'zero'))),
    decimals integer,                     -- as known then; null: not known, never assumed
    block_number bigint,                  -- first block with this state
    reason text
);
create index on raw.wallet_balances (chain, wallet, instrument_id, read_id);
create index on raw.wallet_balances (read_id);

-- What a receipt stands for, when it differs from what was known: units of each component for one unit.
create table raw.wallet_positions (
    read_id bigint not null references raw.chain_reads,
    chain text not null,
    instrument_id text not null,
    component_id text not null,
    per_unit ops.amount not null,         -- negative: owed
    primary key (instrument_id, component_id, read_id)
);
create index on raw.wallet_positions (read_id);

-- What a token or a receipt says of itself, newest answer.
create table raw.token_facts (
    instrument_id text primary key,
    chain text not null,
    address text,
    decimals integer,
    symbol text,
    name text,
    asset_type text,                      -- of receipts, as the rest
    protocol text,
    category text,
    is_position boolean not null default false,
    read_id bigint not null references raw.chain_reads
);

-- The newest state of each cell that is or was held, or that the owner named: what the next read is compared with.
-- Written only when it changes.
create table ops.wallet_cells (
    chain text not null,
    wallet text not null,
    instrument_id text not null,
    raw_amount numeric(78, 0),            -- last good amount; null: never read
    good_read_id bigint,                  -- since which read it has been so
    status text not null,                 -- of the last attempt that differed
    reason text,
    read_id bigint not null,
    primary key (chain, wallet, instrument_id)
);

-- Reviewed identity of instruments: native coins, bridged forms, receipts. Written from the product's data files.
create table ops.known_instruments (
    instrument_id text primary key,
    chain text,
    address text,
    symbol text,
    decimals integer,
    asset_type text,
    protocol text,
    category text,
    canonical_instrument text
);

-- Snapshots asked for: run_id is the run that took a request on, published_at when its snapshot could be seen.
create table registry.snapshot_requests (
    request_id bigint generated always as identity primary key,
    portfolio_id text not null,
    requested_at timestamptz not null default now(),
    run_id text,
    published_at timestamptz
);
create index on registry.snapshot_requests (portfolio_id) where published_at is null;
