-- Each portfolio against its benchmark, the equal weight of what it held, and the same user's other portfolios, by period.
select
    measures.portfolio_id,
    portfolios.user_id,
    measures.other_id,
    measures.other_kind,
    measures.other_basis,
    measures.period_type,
    measures.period_start,
    measures.period_end,
    {{ rounded("measures.return_difference") }} as return_difference,
    {{ rounded("measures.tracking_error") }} as tracking_error,
    {{ rounded("measures.beta") }} as beta,
    {{ rounded("measures.alpha") }} as alpha,
    {{ rounded("measures.correlation") }} as correlation,
    {{ rounded("measures.information_ratio") }} as information_ratio,
    measures.observations,
    measures.undefined_reason
from {{ source('measures', 'comparison') }} as measures
inner join {{ ref('int_portfolios') }} as portfolios on measures.portfolio_id = portfolios.portfolio_id
