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
    benchmark,
    risk_free_rate,
    is_active
from {{ source('registry', 'portfolios') }}
where is_active
