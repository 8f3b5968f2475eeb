{# dbt compares unit tests as text, where 0.8 differs from 0.80 and 0.99 from 0.9900000000000001: numbers are compared at 12 decimals. #}
{% macro postgres__get_unit_test_sql(main_sql, expected_fixture_sql, expected_column_names) -%}
with dbt_internal_unit_test_actual as (
    select * from (
        {{ main_sql }}
    ) as produced
),
dbt_internal_unit_test_expected as (
    select * from (
        {{ expected_fixture_sql }}
    ) as stated
)
{% for side in ["actual", "expected"] -%}
select
    {% for column in expected_column_names -%}
    {{ comparable(column) }} as {{ column }},
    {% endfor -%}
    '{{ side }}' as actual_or_expected
from dbt_internal_unit_test_{{ side }}
{%- if not loop.last %}
union all
{% endif %}
{%- endfor %}
{%- endmacro %}

{# By to_jsonb, which is not immutable: a direct cast of a text constant to numeric would fail while the query is planned. #}
{% macro comparable(column) -%}
case
        when pg_typeof({{ column }})::text in ('numeric', 'double precision')
            then trim_scale(round((to_jsonb({{ column }}) #>> '{}')::numeric, 12))::text
        else {{ column }}::text
    end
{%- endmacro %}
