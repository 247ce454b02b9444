{#
    A pre-hook: every statement of the model's transaction sees the raw tables as they are at its first one.
    Without it an extraction that commits between the model's statements would be seen by the later ones only.
#}
{% macro one_snapshot() %}
    {{- return(adapter.dispatch('one_snapshot', 'gitmart')()) -}}
{% endmacro %}

{% macro default__one_snapshot() %}{% endmacro %}

{#
    The isolation is that of a whole transaction, and this one may have begun: dbt has asked for columns, or has
    dropped what a killed build left. So it is ended, and another begun in so many words: dbt-postgres leaves
    that to the driver, which does it once per connection.
#}
{% macro postgres__one_snapshot() -%}
    {%- if execute -%}
        {%- call statement() -%} select 1 {%- endcall -%} {#- dbt refuses to end what has not begun -#}
        {%- do adapter.commit() -%}
    {%- endif -%}
    begin transaction isolation level repeatable read
{%- endmacro %}

{# It takes PostgreSQL's macros, and every transaction there sees one state. #}
{% macro redshift__one_snapshot() %}{% endmacro %}
