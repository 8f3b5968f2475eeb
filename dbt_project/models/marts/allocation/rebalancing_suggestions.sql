-- Trades that lead from the current to the target weights, where the drift leaves the band.
select
    handed.portfolio_id,
    portfolios.user_id,
    handed.instrument_id,
    handed.action,
    handed.quantity,
    handed.value_usd,
    handed.current_weight,
    handed.target_weight,
    handed.estimated_cost_usd,
    handed.reason
from {{ source('optimiser', 'rebalancing_suggestions') }} as handed
inner join {{ ref('int_portfolios') }} as portfolios on handed.portfolio_id = portfolios.portfolio_id
