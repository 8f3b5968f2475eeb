-- What each holding adds to the parametric value at risk; the components of a portfolio add up to it.
select
    handed.portfolio_id,
    portfolios.user_id,
    handed.instrument_id,
    handed.horizon_days,
    handed.confidence,
    handed.value_base,
    handed.component_var_usd,
    handed.component_var_base,
    handed.incremental_var_usd,
    handed.incremental_var_base,
    handed.marginal_var,
    handed.share,
    handed.undefined_reason
from {{ source('risk', 'risk_contributions') }} as handed
inner join {{ ref('int_portfolios') }} as portfolios on handed.portfolio_id = portfolios.portfolio_id
