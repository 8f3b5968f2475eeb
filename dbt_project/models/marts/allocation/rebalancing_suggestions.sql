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
    handed.reason,
    handed.spread_cost_usd,
    handed.impact_cost_usd,
    handed.cost_method,
    handed.realized_gain_base,
    handed.short_gain_base,
    handed.long_gain_base,
    handed.estimated_tax_base,
    handed.expected_gain_usd,
    handed.cash_after_base
from {{ source('optimiser', 'rebalancing_suggestions') }} as handed
inner join {{ ref('int_portfolios') }} as portfolios on handed.portfolio_id = portfolios.portfolio_id
