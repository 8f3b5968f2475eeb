-- One row per optimisation: what was asked, what came out, and how it was proven.
select
    handed.run_id,
    handed.portfolio_id,
    portfolios.user_id,
    handed.objective,
    handed.status,
    handed.solver,
    handed.fallback_reason,
    handed.kkt_residual,
    handed.expected_return,
    handed.volatility,
    handed.sharpe_ratio,
    handed.sharpe_low,
    handed.sharpe_high,
    handed.sharpe_interval,
    handed.inputs_version,
    handed.observations,
    handed.condition_number,
    handed.smallest_eigenvalue,
    handed.notes,
    handed.selection,
    handed.selection_gap,
    handed.duration_ms
from {{ source('optimiser', 'optimization_runs') }} as handed
inner join {{ ref('int_portfolios') }} as portfolios on handed.portfolio_id = portfolios.portfolio_id
