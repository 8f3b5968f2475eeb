{# What a missing pair of currencies is crossed through, best first: the dollar has most pairs, the euro all that its central bank tells. #}
{% macro fx_hubs() -%}
select 'fiat:USD' as hub, 1 as preference
union all
select 'fiat:EUR' as hub, 2 as preference
union all
select distinct base_currency as hub, 3 as preference
from {{ ref('int_portfolios') }}
where base_currency not in ('fiat:USD', 'fiat:EUR')
{%- endmacro %}

{# The last rate of a pair at or before a moment; the arguments are expressions. #}
{% macro last_fx_rate(currency, quote, moment) -%}
select rates.rate
from {{ ref('int_fx_points') }} as rates
where rates.currency = {{ currency }} and rates.quote = {{ quote }} and rates.rated_at <= {{ moment }}
order by rates.rated_at desc
limit 1
{%- endmacro %}

{# The same through the best of the model's `hubs` that has both legs. Within the lookup, `asked` spares it where nobody needs it. #}
{% macro crossed_fx_rate(currency, quote, moment, asked) -%}
select first_leg.rate * second_leg.rate as rate
from hubs
cross join lateral ({{ last_fx_rate(currency, 'hubs.hub', moment) }}) as first_leg
cross join lateral ({{ last_fx_rate('hubs.hub', quote, moment) }}) as second_leg
where {{ asked }}
order by hubs.preference, hubs.hub
limit 1
{%- endmacro %}
