{# The window of the run lives in a table, not in --vars: changed vars force dbt to parse everything again. #}
{% macro run_cutoff_at() -%}
(select r.cutoff_at from {{ source('ops', 'current_run') }} as c inner join {{ source('ops', 'runs') }} as r on c.run_id = r.run_id)
{%- endmacro %}

{% macro run_as_of_date() -%}
(select r.as_of_date from {{ source('ops', 'current_run') }} as c inner join {{ source('ops', 'runs') }} as r on c.run_id = r.run_id)
{%- endmacro %}
