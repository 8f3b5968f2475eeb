{# Sums of floats depend on the order of rows in the last bits: 12 decimals are the same in every run. #}
{% macro rounded(expression) -%}
round(({{ expression }})::numeric, 12)::double precision
{%- endmacro %}
