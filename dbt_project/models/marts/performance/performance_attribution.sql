-- Why each portfolio did better or worse than its benchmark over each standard period, by class of assets.
select
    measures.portfolio_id,
    portfolios.user_id,
    measures.period_type,
    measures.asset_class,
    portfolios.benchmark as benchmark_id,
    measures.portfolio_weight,
    measures.benchmark_weight,
    measures.portfolio_return,
    measures.benchmark_return,
    measures.allocation,
    measures.selection,
    measures.interaction,
    measures.undefined_reason
from {{ source('measures', 'attribution') }} as measures
inner join {{ ref('int_portfolios') }} as portfolios on measures.portfolio_id = portfolios.portfolio_id
