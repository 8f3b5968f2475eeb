-- What optimisations were made from, one row a version: estimators, window, instruments, and how sound the covariance is.
select
    inputs_version,
    base_currency,
    annualization_days,
    first_day,
    last_day,
    expected_returns,
    covariance,
    instruments,
    observations,
    condition_number,
    smallest_eigenvalue,
    missing_share,
    is_repaired,
    excluded
from {{ source('optimiser', 'optimization_inputs') }}
