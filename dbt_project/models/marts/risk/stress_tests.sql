-- What episodes of the past, single shocks, correlation at one and the owner's scenarios would cost what is held now.
select
    handed.portfolio_id,
    portfolios.user_id,
    handed.scenario,
    handed.kind,
    handed.scenario_name,
    handed.loss_usd,
    handed.loss_percent,
    handed.worst_position,
    handed.loss_base,
    handed.coverage,
    handed.undefined_reason
from {{ source('risk', 'stress_tests') }} as handed
inner join {{ ref('int_portfolios') }} as portfolios on handed.portfolio_id = portfolios.portfolio_id
