-- Splits of an instrument, from the owners' SPLIT rows and from corporate actions, each once.
select distinct on (instrument_id, ex_date)
    instrument_id, ex_date, ratio
from (
    select instrument_id, executed_date as ex_date, quantity as ratio, 1 as preference
    from {{ ref('stg_transactions') }}
    where type = 'SPLIT'
    union all
    select instrument_id, ex_date, ratio, 2 as preference
    from {{ ref('stg_corporate_actions') }}
    where kind = 'split'
) as splits
order by instrument_id, ex_date, preference
