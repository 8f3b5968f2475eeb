-- Instruments that anything names, with what is known of them.
select
    instrument_id, symbol, name, asset_class, asset_type, category, protocol, chain, address, decimals,
    canonical_instrument, quote_currency, annualization_days, max_price_age_days, trust
from {{ ref('int_instruments') }}
