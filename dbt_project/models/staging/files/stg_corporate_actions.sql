-- Corporate actions from current files that are due at the run's as-of date.
select
    actions.instrument_id,
    actions.ex_date,
    actions.kind,
    actions.ratio,
    actions.amount,
    actions.currency,
    actions.batch_id,
    actions.line
from {{ source('raw', 'corporate_actions') }} as actions
inner join {{ source('ops', 'input_files') }} as files on actions.batch_id = files.batch_id
where actions.ex_date <= {{ run_as_of_date() }}
