-- Corporate actions that are due at the run's as-of date, each once: the owner's files, then sources in the order of the class. What is told
-- twice within 10 days is one action.
with

told as (

    select
        actions.instrument_id, actions.ex_date, actions.kind, actions.ratio, actions.amount, actions.currency,
        actions.pay_date, actions.batch_id, actions.line, 'file' as source, 0 as priority
    from {{ source('raw', 'corporate_actions') }} as actions
    inner join {{ source('ops', 'input_files') }} as files on actions.batch_id = files.batch_id
    union all
    select
        actions.instrument_id, actions.ex_date, actions.kind, actions.ratio, actions.amount, actions.currency,
        actions.pay_date, actions.batch_id, null as line, actions.source,
        coalesce(priorities.priority, 1000) as priority
    from {{ source('raw', 'source_actions') }} as actions
    left join {{ source('registry', 'instruments') }} as custom on actions.instrument_id = custom.instrument
    left join {{ ref('stg_source_priority') }} as priorities
        on
            coalesce(custom.asset_class, split_part(actions.instrument_id, ':', 1)) = priorities.asset_class
            and actions.source = priorities.source

)

select
    told.instrument_id, told.ex_date, told.kind, told.ratio, told.amount, told.currency, told.pay_date,
    told.batch_id, told.line
from told
where
    told.ex_date <= {{ run_as_of_date() }}
    and not exists (
        select 1 from told as better
        where
            better.instrument_id = told.instrument_id
            and better.kind = told.kind
            and (better.priority, better.source) < (told.priority, told.source)
            and abs(better.ex_date - told.ex_date) <= 10
    )
