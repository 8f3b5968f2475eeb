-- The value of 1 unit of money under each strategy of a back-test, day by day.
{{ config(indexes=[{'columns': ['portfolio_id', 'strategy', 'valuation_date'], 'unique': true}]) }}
select
    handed.portfolio_id,
    portfolios.user_id,
    handed.strategy,
    walked.valuation_date,
    {{ rounded("walked.index_value") }} as index_value
from {{ source('ops', 'policy_backtests') }} as handed
inner join {{ ref('int_portfolios') }} as portfolios on handed.portfolio_id = portfolios.portfolio_id
inner join {{ source('ops', 'run_scope') }} as scope on handed.portfolio_id = scope.portfolio_id
cross join lateral unnest(handed.days, handed.index_values) as walked (valuation_date, index_value)
