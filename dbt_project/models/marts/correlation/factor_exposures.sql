-- How each portfolio moves with each factor that has prices.
{{ config(indexes=[{'columns': ['portfolio_id', 'factor', 'window_days'], 'unique': true}]) }}
select
    handed.portfolio_id,
    portfolios.user_id,
    handed.factor,
    handed.window_days,
    handed.instrument_id,
    {{ rounded("handed.beta") }} as beta,
    {{ rounded("handed.t_stat") }} as t_stat,
    {{ rounded("handed.r_squared") }} as r_squared,
    handed.observations,
    handed.undefined_reason
from {{ source('correlation', 'factor_exposures') }} as handed
inner join {{ ref('int_portfolios') }} as portfolios on handed.portfolio_id = portfolios.portfolio_id
