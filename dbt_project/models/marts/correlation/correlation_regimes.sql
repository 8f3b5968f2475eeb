-- How much all that is held moves as one, reading by reading.
{{ config(indexes=[{'columns': ['as_of', 'window_days'], 'unique': true}]) }}
select
    as_of,
    window_days,
    assets,
    {{ rounded("average_correlation") }} as average_correlation,
    {{ rounded("first_eigenvalue_share") }} as first_eigenvalue_share,
    {{ rounded("diversification_ratio") }} as diversification_ratio,
    regime,
    changed,
    breached,
    undefined_reason
from {{ source('ops', 'correlation_readings') }}
where as_of <= {{ run_cutoff_at() }}
