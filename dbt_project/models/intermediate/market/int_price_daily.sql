-- Prices for every day, last known at the close, with their age: forward only, never backward.
{{ config(indexes=[{'columns': ['instrument_id', 'valuation_date'], 'unique': true}]) }}
select
    intervals.instrument_id,
    days.day::date as valuation_date,
    intervals.price,
    intervals.currency,
    intervals.priced_at,
    days.day::date - intervals.valid_from as age_days,
    days.day::date = intervals.valid_from as is_observed,
    intervals.source,
    intervals.batch_id,
    intervals.line
from {{ ref('int_price_intervals') }} as intervals
cross join lateral generate_series(
    intervals.valid_from,
    coalesce(intervals.valid_to, {{ run_as_of_date() }} + 1) - 1,
    interval '1 day'
) as days (day)
