-- Target weight by portfolio and instrument: computed by this run's optimiser, else the owner's fixed targets.
{{ config(tags=['allocation']) }}
select
    computed.portfolio_id, computed.instrument_id, computed.weight as target_weight, 'computed' as origin
from {{ source('optimiser', 'target_weights') }} as computed
union all
select
    fixed.portfolio_id, fixed.instrument as instrument_id, fixed.weight as target_weight, 'fixed' as origin
from {{ source('registry', 'targets') }} as fixed
inner join {{ source('ops', 'run_scope') }} as scope on fixed.portfolio_id = scope.portfolio_id
where
    not exists (
        select 1 from {{ source('registry', 'policies') }} as policies
        where policies.portfolio_id = fixed.portfolio_id
    )
