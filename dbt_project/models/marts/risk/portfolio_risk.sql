-- Value at risk and expected shortfall of what is held now, by horizon, confidence and method; a loss is positive.
select
    handed.portfolio_id,
    portfolios.user_id,
    handed.horizon_days,
    handed.confidence,
    handed.method,
    handed.var_usd,
    handed.cvar_usd,
    handed.var_base,
    handed.cvar_base,
    handed.var_low_base,
    handed.var_high_base,
    handed.var_ratio,
    handed.observations,
    handed.first_date,
    handed.excluded_share,
    handed.excluded,
    handed.unpriced_holdings,
    handed.undefined_reason
from {{ source('risk', 'portfolio_risk') }} as handed
inner join {{ ref('int_portfolios') }} as portfolios on handed.portfolio_id = portfolios.portfolio_id
