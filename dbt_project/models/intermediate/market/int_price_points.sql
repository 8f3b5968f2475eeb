-- All prices that count, one per instant: quoted ones, and those of receipts that follow from what they stand for.
select instrument_id, priced_at, price_date, price, currency, source, batch_id, line
from {{ ref('int_quoted_prices') }}
union all
select
    instrument_id, priced_at, price_date, price, currency, 'components' as source,
    null as batch_id, null as line
from {{ ref('int_position_prices') }}
