-- All portfolios of the registry. One that this run did not compute keeps the dates of its last publication.
select
    registered.id as portfolio_id,
    registered.user_id,
    registered.name,
    registered.base_currency,
    registered.cost_basis,
    registered.cash as cash_mode,
    registered.benchmark,
    -- a published first day stands unless the run computes it again
    case
        when scope.portfolio_id is null or published.inception_date < scope.from_date then published.inception_date
        else firsts.inception_date
    end as inception_date,
    registered.is_active,
    held.portfolio_id is not null as is_held,
    held.reason as held_reason,
    case
        when scope.portfolio_id is not null and held.portfolio_id is null then {{ run_cutoff_at() }}
        else published.values_as_of
    end as values_as_of
from {{ source('registry', 'portfolios') }} as registered
left join {{ source('ops', 'run_scope') }} as scope on registered.id = scope.portfolio_id
left join {{ source('ops', 'held_portfolios') }} as held on registered.id = held.portfolio_id
left join history.portfolios as published
    on registered.id = published.portfolio_id and published.published_to is null
left join (
    select portfolio_id, min(valuation_date) as inception_date
    from {{ ref('portfolio_daily') }}
    group by portfolio_id
) as firsts on registered.id = firsts.portfolio_id
