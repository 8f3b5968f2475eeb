-- Active portfolios with their settings in the words of the database.
select
    id as portfolio_id,
    user_id,
    name,
    'fiat:' || base_currency as base_currency,
    cost_basis,
    lot_scope,
    cash as cash_mode,
    allow_short,
    array(
        select accounts.id
        from {{ source('registry', 'accounts') }} as accounts
        where accounts.portfolio_id = portfolios.id and accounts.is_active and accounts.margin
        order by accounts.id
    ) as margin_accounts,
    benchmark,
    risk_free_rate,
    is_active
from {{ source('registry', 'portfolios') }} as portfolios
where is_active
