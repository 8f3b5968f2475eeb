-- What is known at the cut-off of each asset of each wallet: the last good balance with the block that last confirmed it, and
-- whether it could be read since. A held cell is asked in every read of its chain and written when it differs, so the chain's
-- last read confirms what has no newer row. What the owner named and no read ever gave has a row without a balance.
{{ config(indexes=[{'columns': ['portfolio_id']}]) }}
with

reads as (

    select * from {{ ref('stg_chain_reads') }}

),

chains as (

    select distinct chain from {{ ref('stg_wallets') }}

),

-- by the index, chain by chain: years of hourly reads are not sorted
last_reads as (

    select last.*
    from chains
    cross join lateral (
        select reads.chain, reads.read_id, reads.asked_at, reads.is_failed, reads.failure
        from {{ ref('stg_chain_reads') }} as reads
        where reads.chain = chains.chain
        order by reads.read_id desc
        limit 1
    ) as last

),

last_good_reads as (

    select last.*
    from chains
    cross join lateral (
        select reads.chain, reads.read_id, reads.counts_at, reads.block_number, reads.block_hash
        from {{ ref('stg_chain_reads') }} as reads
        where reads.chain = chains.chain and not reads.is_failed
        order by reads.read_id desc
        limit 1
    ) as last

),

states as (

    select balances.*
    from {{ source('raw', 'wallet_balances') }} as balances
    inner join reads on balances.read_id = reads.read_id

),

newest as (

    select distinct on (chain, wallet, instrument_id)
        chain, wallet, instrument_id, status, reason
    from states
    order by chain asc, wallet asc, instrument_id asc, balance_id desc

),

good as (

    select distinct on (chain, wallet, instrument_id)
        chain, wallet, instrument_id, raw_amount, decimals, read_id, balance_id
    from states
    where raw_amount is not null
    order by chain asc, wallet asc, instrument_id asc, balance_id desc

),

-- the first read after the good one that could not give it
ended as (

    select states.chain, states.wallet, states.instrument_id, min(states.read_id) as read_id
    from states
    inner join good
        on
            states.chain = good.chain
            and states.wallet = good.wallet
            and states.instrument_id = good.instrument_id
            and states.balance_id > good.balance_id
    group by states.chain, states.wallet, states.instrument_id

),

native as (

    select chain, instrument_id, split_part(instrument_id, '/', 1) as chain_caip2
    from {{ source('ops', 'known_instruments') }}
    where instrument_id like '%/slip44:%'

),

-- what is asked of every wallet by name
named as (

    select chain, instrument_id, false as is_declared from native
    union all
    select native.chain, declared.instrument as instrument_id, true as is_declared
    from {{ source('registry', 'instruments') }} as declared
    inner join native on split_part(declared.instrument, '/', 1) = native.chain_caip2
    -- readers of positions give a row where there is something
    where
        declared.instrument not like '%/slip44:%'
        and coalesce(declared.asset_type, 'token') not in ('nft', 'lp_token', 'staked', 'vested')

),

cells as (

    select wallets.portfolio_id, wallets.account_id, wallets.chain, wallets.wallet, newest.instrument_id
    from newest
    inner join {{ ref('stg_wallets') }} as wallets on newest.chain = wallets.chain and newest.wallet = wallets.wallet
    union
    select wallets.portfolio_id, wallets.account_id, wallets.chain, wallets.wallet, named.instrument_id
    from named
    inner join {{ ref('stg_wallets') }} as wallets on named.chain = wallets.chain
    inner join last_reads on named.chain = last_reads.chain and wallets.created_at <= last_reads.asked_at

)

select
    cells.portfolio_id,
    cells.account_id,
    cells.instrument_id,
    cells.chain,
    coalesce(named.is_declared, false) as is_declared,
    good.raw_amount,
    case
        when good.raw_amount is null then coalesce(newest.status, 'failed')
        when last_reads.is_failed or newest.status not in ('ok', 'zero') then 'stale'
        else newest.status
    end as status,
    case
        when last_reads.is_failed then last_reads.failure
        when newest.status not in ('ok', 'zero') then newest.reason
    end as reason,
    case when good.raw_amount is not null then coalesce(confirmed.counts_at, first_reads.counts_at) end as observed_at,
    case when good.raw_amount is not null then coalesce(confirmed.block_number, first_reads.block_number) end
        as block_number,
    case when good.raw_amount is not null then coalesce(confirmed.block_hash, first_reads.block_hash) end as block_hash
from cells
inner join last_reads on cells.chain = last_reads.chain
left join named on cells.chain = named.chain and cells.instrument_id = named.instrument_id
left join newest
    on
        cells.chain = newest.chain
        and cells.wallet = newest.wallet
        and cells.instrument_id = newest.instrument_id
left join good
    on cells.chain = good.chain and cells.wallet = good.wallet and cells.instrument_id = good.instrument_id
left join reads as first_reads on good.read_id = first_reads.read_id
left join ended
    on cells.chain = ended.chain and cells.wallet = ended.wallet and cells.instrument_id = ended.instrument_id
-- a zero that nobody named is not asked again: the read that said so is the last that can confirm it
left join lateral (
    select last_good_reads.counts_at, last_good_reads.block_number, last_good_reads.block_hash
    from last_good_reads
    where
        last_good_reads.chain = cells.chain
        and ended.read_id is null
        and (good.raw_amount <> 0 or named.instrument_id is not null)
    union all
    (
        select reads.counts_at, reads.block_number, reads.block_hash
        from reads
        where
            ended.read_id is not null and reads.chain = cells.chain and reads.read_id < ended.read_id
            and not reads.is_failed
        order by reads.read_id desc
        limit 1
    )
) as confirmed on true
