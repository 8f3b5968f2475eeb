-- Accounts at exchanges and brokers that are asked directly: where each reading goes on, and what it could not book.
create table ops.account_states (
    portfolio_id text not null,
    account_id text not null,
    source text not null,                 -- ccxt id of the exchange, or the broker
    cursor jsonb not null default '{}',   -- the connector's own; of complete pages only
    outcome text not null check (outcome in ('ok', 'partial', 'failed', 'no_credentials', 'not_supported')),
    failure text,                         -- our own words: no key, no address
    requests integer not null default 0,  -- of the last reading, tries included
    asked_at timestamptz not null,
    last_success_at timestamptz,
    primary key (portfolio_id, account_id)
);
-- Records as received that are no transaction yet, with the reason; every reading tries them again.
create table ops.account_waiting (
    portfolio_id text not null,
    account_id text not null,
    stream text not null,
    record_id text not null,
    record jsonb not null,
    value text not null,
    reason text not null,
    remedy text not null,
    since timestamptz not null default now(),
    primary key (portfolio_id, account_id, stream, record_id)
);
-- Which batches came from which account: they count as long as the account is active, and add up.
create table ops.account_batches (
    batch_id bigint primary key references raw.batches,
    portfolio_id text not null,
    account_id text not null
);
create index on ops.account_batches (portfolio_id, account_id);
