-- What chains said of wallets: a balance where it differs from the one before, in units, at the block's time. Without
-- decimals there is no quantity and no row. A first balance of zero says something only beside another source.
with

amounts as (

    select
        balances.chain,
        balances.wallet,
        balances.instrument_id,
        balances.raw_amount,
        balances.balance_id,
        reads.counts_at,
        coalesce(balances.decimals, facts.decimals, declared.decimals) as decimals,
        lag(balances.raw_amount) over (
            partition by balances.chain, balances.wallet, balances.instrument_id order by balances.balance_id
        ) as amount_before
    from {{ source('raw', 'wallet_balances') }} as balances
    inner join {{ ref('stg_chain_reads') }} as reads on balances.read_id = reads.read_id
    left join {{ source('raw', 'token_facts') }} as facts on balances.instrument_id = facts.instrument_id
    left join {{ source('registry', 'instruments') }} as declared on balances.instrument_id = declared.instrument
    where balances.raw_amount is not null

),

booked as (

    select portfolio_id, account_id from {{ ref('stg_transactions') }}
    union
    select portfolio_id, account_id from {{ ref('stg_file_balances') }}

)

-- of two reads within one second of the chain, or of one block, the newer one counts
select distinct on (wallets.portfolio_id, wallets.account_id, amounts.instrument_id, amounts.counts_at)
    wallets.portfolio_id,
    wallets.account_id,
    amounts.instrument_id,
    amounts.counts_at as balance_at,
    (amounts.counts_at at time zone 'UTC')::date as balance_date,
    -- a product is exact where a division would round
    trim_scale(amounts.raw_amount * ('1e-' || amounts.decimals)::numeric) as quantity
from amounts
inner join {{ ref('stg_wallets') }} as wallets on amounts.chain = wallets.chain and amounts.wallet = wallets.wallet
left join booked on wallets.portfolio_id = booked.portfolio_id and wallets.account_id = booked.account_id
where
    amounts.decimals is not null
    and amounts.raw_amount is distinct from amounts.amount_before
    and (amounts.raw_amount <> 0 or amounts.amount_before is not null or booked.account_id is not null)
order by
    wallets.portfolio_id, wallets.account_id, amounts.instrument_id, amounts.counts_at, amounts.balance_id desc
