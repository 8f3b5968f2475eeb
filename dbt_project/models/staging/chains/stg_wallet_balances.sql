-- What chains said of wallets: a balance where it differs from the one before, in units, at the block's time; and once more at the
-- first read after the account's last transaction, which it is to be compared with. Without decimals there is no quantity and
-- no row. A first balance of zero says something only beside another source.
with

states as (

    select
        balances.*,
        reads.counts_at,
        lead(balances.balance_id) over (
            partition by balances.chain, balances.wallet, balances.instrument_id order by balances.balance_id
        ) is null as is_newest
    from {{ source('raw', 'wallet_balances') }} as balances
    inner join {{ ref('stg_chain_reads') }} as reads on balances.read_id = reads.read_id

),

amounts as (

    select
        balances.chain,
        balances.wallet,
        balances.instrument_id,
        balances.raw_amount,
        balances.balance_id,
        balances.counts_at,
        balances.is_newest,
        coalesce(balances.decimals, facts.decimals, declared.decimals) as decimals,
        lag(balances.raw_amount) over (
            partition by balances.chain, balances.wallet, balances.instrument_id order by balances.balance_id
        ) as amount_before
    from states as balances
    left join {{ source('raw', 'token_facts') }} as facts on balances.instrument_id = facts.instrument_id
    left join {{ source('registry', 'instruments') }} as declared on balances.instrument_id = declared.instrument
    where balances.raw_amount is not null

),

booked as (

    select portfolio_id, account_id from {{ ref('stg_transactions') }}
    union
    select portfolio_id, account_id from {{ ref('stg_file_balances') }}

),

last_booked as (

    select portfolio_id, account_id, max(executed_at) as booked_at
    from {{ ref('stg_transactions') }}
    where executed_at <= {{ run_cutoff_at() }}
    group by portfolio_id, account_id

),

observed as (

    select
        wallets.portfolio_id,
        wallets.account_id,
        amounts.instrument_id,
        amounts.counts_at,
        amounts.raw_amount,
        amounts.decimals,
        amounts.balance_id
    from amounts
    inner join {{ ref('stg_wallets') }} as wallets on amounts.chain = wallets.chain and amounts.wallet = wallets.wallet
    left join booked on wallets.portfolio_id = booked.portfolio_id and wallets.account_id = booked.account_id
    where
        amounts.raw_amount is distinct from amounts.amount_before
        and (amounts.raw_amount <> 0 or amounts.amount_before is not null or booked.account_id is not null)
    union all
    -- what is held, and the native coin, is asked in every read: without a newer row that one confirms it
    select
        wallets.portfolio_id,
        wallets.account_id,
        amounts.instrument_id,
        confirmed.counts_at,
        amounts.raw_amount,
        amounts.decimals,
        amounts.balance_id
    from amounts
    inner join {{ ref('stg_wallets') }} as wallets on amounts.chain = wallets.chain and amounts.wallet = wallets.wallet
    inner join last_booked
        on wallets.portfolio_id = last_booked.portfolio_id and wallets.account_id = last_booked.account_id
    cross join
        lateral (
            select reads.counts_at
            from {{ ref('stg_chain_reads') }} as reads
            where reads.chain = amounts.chain and not reads.is_failed and reads.counts_at >= last_booked.booked_at
            order by reads.counts_at
            limit 1
        ) as confirmed
    where
        amounts.is_newest
        and amounts.counts_at < last_booked.booked_at
        and (amounts.raw_amount <> 0 or amounts.instrument_id like '%/slip44:%')

)

-- of two reads within one second of the chain, or of one block, the newer one counts
select distinct on (portfolio_id, account_id, instrument_id, counts_at)
    portfolio_id,
    account_id,
    instrument_id,
    counts_at as balance_at,
    (counts_at at time zone 'UTC')::date as balance_date,
    -- a product is exact where a division would round
    trim_scale(raw_amount * ('1e-' || decimals)::numeric) as quantity
from observed
where decimals is not null
order by portfolio_id, account_id, instrument_id, counts_at, balance_id desc
