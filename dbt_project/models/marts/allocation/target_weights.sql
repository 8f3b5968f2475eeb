-- Weights by optimisation and instrument, with the bounds they had to keep.
select
    handed.run_id,
    handed.portfolio_id,
    portfolios.user_id,
    handed.instrument_id,
    handed.weight,
    handed.previous_weight,
    handed.lower,
    handed.upper,
    handed.is_binding,
    handed.weight_low,
    handed.weight_high
from {{ source('optimiser', 'target_weights') }} as handed
inner join {{ ref('int_portfolios') }} as portfolios on handed.portfolio_id = portfolios.portfolio_id
