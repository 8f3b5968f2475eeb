-- What each instrument gave to a portfolio's return over each standard period; it adds up to the TWR and to the gain.
select
    measures.portfolio_id,
    portfolios.user_id,
    measures.period_type,
    measures.instrument_id,
    measures.contribution,
    measures.gain_base,
    measures.unlinked_gain_base,
    measures.start_value_base,
    measures.end_value_base,
    measures.average_weight,
    measures.undefined_reason
from {{ source('measures', 'contribution') }} as measures
inner join {{ ref('int_portfolios') }} as portfolios on measures.portfolio_id = portfolios.portfolio_id
