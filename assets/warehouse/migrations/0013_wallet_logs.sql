-- What the logs of chains tell of wallets, and which balances are still to be read.

-- Transfers of tokens as logs tell them, trusted or not. A wallet in several portfolios is read once.
create table raw.wallet_transfers (
    chain text not null,
    block_number bigint not null,
    block_hash text not null,
    log_index integer not null,
    transaction_hash text not null,
    executed_at timestamptz not null,     -- the block's time
    instrument_id text not null,          -- of ERC-721 the collection
    token_id numeric(78, 0),              -- of ERC-721
    raw_amount numeric(78, 0) not null,
    sender text not null,
    recipient text not null,
    range_first bigint not null,          -- the blocks that were read together with this one
    range_last bigint not null,
    is_gone boolean not null default false,   -- its block is no longer on the chain
    run_id text not null,
    primary key (chain, block_hash, log_index)
);
create index on raw.wallet_transfers (chain, block_number);

-- What wallets paid for the transactions that such logs name.
create table raw.wallet_fees (
    chain text not null,
    block_number bigint not null,
    block_hash text not null,
    transaction_hash text not null,
    executed_at timestamptz not null,
    wallet text,                          -- null where the fee is
    raw_amount numeric(78, 0),            -- of the native coin; null: the receipt does not tell it
    reason text,
    range_first bigint not null,
    range_last bigint not null,
    is_gone boolean not null default false,
    run_id text not null,
    primary key (chain, block_hash, transaction_hash),
    check ((raw_amount is null) = (wallet is null) and (raw_amount is null) = (reason is not null))
);
create index on raw.wallet_fees (chain, block_number);

-- Up to which block the logs of each wallet are known, without a hole from first_block on.
create table ops.wallet_logs (
    chain text not null,
    wallet text not null,
    first_block bigint not null,
    read_until bigint not null,
    block_hash text,                      -- of block read_until; null: that was the last of a part, not the pinned one
    failure text,                         -- why the last read ended before the pinned block
    primary key (chain, wallet)
);

-- Balances that were to be read and were not, and those of tokens that a log told of: asked first, oldest first.
create table ops.wallet_unread (
    chain text not null,
    wallet text not null,
    instrument_id text not null,
    since timestamptz not null,
    primary key (chain, wallet, instrument_id)
);

-- Up to which balance of a wallet holdings were looked at, beside looked_batch_id.
alter table ops.market_state add column looked_balance_id bigint not null default 0;

-- A token that a wallet holds and whose price nobody follows wakes whoever waits for new holdings. Its price may be that
-- of another instrument.
create function ops.announce_wallet_holdings() returns trigger language plpgsql as $$
begin
    if exists (
        select from (select distinct instrument_id from new_rows where raw_amount > 0) as arrived
        left join registry.instruments as custom on arrived.instrument_id = custom.instrument
        left join ops.known_instruments as known on arrived.instrument_id = known.instrument_id
        where not exists (
            select from registry.tracked_instruments as tracked
            where tracked.instrument_id
                = coalesce(custom.canonical_instrument, known.canonical_instrument, arrived.instrument_id)
        )
    ) then
        perform pg_notify('holdfast_holdings', tg_table_name);
    end if;
    return null;
end
$$;
create trigger announce_holdings after insert on raw.wallet_balances
referencing new table as new_rows for each statement execute function ops.announce_wallet_holdings();
