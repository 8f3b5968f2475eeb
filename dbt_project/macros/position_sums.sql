{# The sums of int_position_totals over `positions`, `instruments` and the prices `held`, for both of its ways to group them. #}
{% macro position_sums() -%}
sum(positions.quantity * held.price_base) as value_base,
sum(positions.cost_base) filter (where held.price_base is not null) as cost_base,
sum(positions.quantity_at_cost_fx * held.price) filter (where held.price_base is not null)
    as value_at_cost_fx,
count(*) as positions_held,
count(held.price_base) as positions_valued,
count(held.price_base) filter (where held.stale_reason is null) as positions_fresh,
bool_or(held.is_observed) as is_market_day,
bool_or(instruments.annualization_days = 365) as trades_daily,
bool_or(positions.flow_basis = 'observed') as is_observed,
bool_or(held.price is null) as is_price_missing,
bool_or(held.price is not null and held.price_base is null) as is_fx_missing,
bool_or(held.stale_reason = 'stale_price') as is_price_stale,
bool_or(held.stale_reason = 'stale_fx') as is_fx_stale
{%- endmacro %}
