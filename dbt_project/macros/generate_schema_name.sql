{# The folder's +schema is the schema, without a target prefix: staging, intermediate, build. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ custom_schema_name | trim if custom_schema_name else target.schema }}
{%- endmacro %}
