-- Points of the efficient frontier under the policy's constraints, from the least volatile up.
select
    handed.run_id,
    handed.portfolio_id,
    portfolios.user_id,
    handed.point,
    handed.expected_return,
    handed.volatility,
    handed.sharpe_ratio
from {{ source('optimiser', 'efficient_frontier') }} as handed
inner join {{ ref('int_portfolios') }} as portfolios on handed.portfolio_id = portfolios.portfolio_id
