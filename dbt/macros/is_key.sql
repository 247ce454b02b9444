{# Whether the database guarantees that these columns of a relation are a key without NULL. #}
{% macro is_key(relation, columns) %}
    {{- return(adapter.dispatch('is_key', 'gitmart')(relation, columns)) -}}
{% endmacro %}

{# What other warehouses call a key is a remark. #}
{% macro default__is_key(relation, columns) %}
    {{- return(false) -}}
{% endmacro %}

{% macro postgres__is_key(relation, columns) %}
    {%- if not execute or relation is string -%}
        {{- return(false) -}} {#- a text is a query: the test has a filter of its own -#}
    {%- endif -%}
    {%- set names = "('" ~ columns | join("', '") ~ "')" -%}
    {%- set found = run_query(
        "select 1 from pg_index as key where key.indrelid = '" ~ relation ~ "'::regclass"
        ~ " and key.indisunique and key.indisvalid and key.indimmediate and key.indpred is null and key.indexprs is null"
        ~ " and not exists (select 1 from pg_attribute as a where a.attrelid = key.indrelid"
        ~ "   and a.attnum = any(key.indkey[0:key.indnkeyatts - 1]) and a.attname not in " ~ names ~ ")"
        ~ " and not exists (select 1 from pg_attribute as a where a.attrelid = key.indrelid"
        ~ "   and a.attname in " ~ names ~ " and not a.attnotnull)"
    ) -%}
    {{- return(found.rows | length > 0) -}}
{% endmacro %}

{# It takes PostgreSQL's macros, but holds nobody to a key. #}
{% macro redshift__is_key(relation, columns) %}
    {{- return(false) -}}
{% endmacro %}
