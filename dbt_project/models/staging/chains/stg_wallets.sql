-- Active wallets of active portfolios by chain, with the account that their balances belong to: the one that the registry
-- names, else the address itself; addresses that share an account are an account each, since one place has one balance.
select
    wallets.portfolio_id,
    wallets.user_id,
    wallets.chain_id as chain,
    wallets.wallet_address as wallet,
    case
        when
            min(wallets.wallet_address) over same_account = max(wallets.wallet_address) over same_account
            then coalesce(wallets.account_id, wallets.wallet_address)
        else wallets.wallet_address
    end as account_id,
    wallets.created_at
from {{ source('registry', 'portfolio_wallets') }} as wallets
inner join {{ source('registry', 'portfolios') }} as portfolios on wallets.portfolio_id = portfolios.id
where wallets.is_active and portfolios.is_active
window same_account as (partition by wallets.portfolio_id, wallets.account_id)
