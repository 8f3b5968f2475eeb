-- Correlations of all pairs of assets that anybody holds, of the newest moment.
{{ config(indexes=[{'columns': ['as_of', 'window_days', 'instrument_a', 'instrument_b'], 'unique': true}]) }}
select
    as_of,
    window_days,
    instrument_a,
    instrument_b,
    {{ rounded("correlation") }} as correlation,
    observations,
    undefined_reason
from {{ source('correlation', 'asset_correlations') }}
