-- Accepted daily prices in quote currency, each valid until the next one; the source and raw row beside it.
select
    instrument_id, valid_from, valid_to, price, currency, priced_at, source, batch_id, line
from {{ ref('int_price_intervals') }}
