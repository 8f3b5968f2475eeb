-- Splits of an instrument, from the owners' SPLIT rows and from corporate actions, each once: an action within 10 days of an owner's row is
-- that row.
with

own as (

    select
        instrument_id, executed_date as ex_date, quantity as ratio, batch_id, line
    from {{ ref('stg_transactions') }}
    where type = 'SPLIT'

),

splits as (

    select instrument_id, ex_date, ratio, 1 as preference, batch_id, line from own
    union all
    select actions.instrument_id, actions.ex_date, actions.ratio, 2 as preference, actions.batch_id, actions.line
    from {{ ref('stg_corporate_actions') }} as actions
    where
        actions.kind = 'split'
        and not exists (
            select 1 from own
            where own.instrument_id = actions.instrument_id and abs(own.ex_date - actions.ex_date) <= 10
        )

)

select distinct on (instrument_id, ex_date)
    instrument_id, ex_date, ratio
from splits
order by instrument_id asc, ex_date asc, preference asc, batch_id desc, line desc
