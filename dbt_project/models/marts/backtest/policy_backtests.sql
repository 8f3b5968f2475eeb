-- What each policy would have done, beside equal weights of its candidates and the benchmark.
{{ config(indexes=[{'columns': ['portfolio_id', 'strategy'], 'unique': true}]) }}
select
    handed.portfolio_id,
    portfolios.user_id,
    handed.strategy,
    handed.period_start,
    handed.period_end,
    handed.rhythm,
    handed.cost_rate,
    handed.universe_basis,
    {{ rounded("handed.total_return") }} as total_return,
    {{ rounded("handed.annual_return") }} as annual_return,
    {{ rounded("handed.volatility") }} as volatility,
    {{ rounded("handed.sharpe_ratio") }} as sharpe_ratio,
    {{ rounded("handed.max_drawdown") }} as max_drawdown,
    {{ rounded("handed.turnover") }} as turnover,
    {{ rounded("handed.costs") }} as costs,
    handed.observations,
    handed.rebalances,
    handed.fallbacks,
    handed.undefined_reason
from {{ source('ops', 'policy_backtests') }} as handed
inner join {{ ref('int_portfolios') }} as portfolios on handed.portfolio_id = portfolios.portfolio_id
inner join {{ source('ops', 'run_scope') }} as scope on handed.portfolio_id = scope.portfolio_id
