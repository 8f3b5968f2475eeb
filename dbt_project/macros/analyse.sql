{# Samples what plans look at. Nobody looks rows up by an amount, and to sort a sample of each takes half of the time. #}
{% macro analyse(table) -%}
    {% set name = table.include(database=false) -%}
    do $$ begin
        execute (
            select 'analyze {{ name }} (' || string_agg(quote_ident(columns.attname), ', ') || ')'
            from pg_attribute as columns inner join pg_type as types on columns.atttypid = types.oid
            where
                columns.attrelid = '{{ name }}'::regclass and columns.attnum > 0 and not columns.attisdropped
                and coalesce(nullif(types.typbasetype, 0), types.oid) not in ('numeric'::regtype, 'float8'::regtype)
        );
    end $$
{%- endmacro %}
