-- What each check said in this run, by check and partition (the run, a portfolio, or a portfolio's instrument).
{{ config(indexes=[{'columns': ['check_name', 'partition'], 'unique': true}]) }}
select distinct on (results.check_name, coalesce(results.portfolio_id, 'run'), coalesce(results.instrument_id, ''))
    results.check_name,
    coalesce(results.portfolio_id, 'run') || coalesce('/' || results.instrument_id, '') as partition,
    results.portfolio_id,
    portfolios.user_id,
    results.instrument_id,
    results.severity,
    results.reach,
    results.passed,
    results.failed_rows,
    results.threshold,
    results.first_offenders,
    results.next_step,
    results.checked_at
from {{ source('quality', 'check_results') }} as results
inner join {{ source('ops', 'current_run') }} as current_run on results.run_id = current_run.run_id
left join {{ source('registry', 'portfolios') }} as portfolios on results.portfolio_id = portfolios.id
order by
    results.check_name,
    coalesce(results.portfolio_id, 'run'),
    coalesce(results.instrument_id, ''),
    results.result_id desc
