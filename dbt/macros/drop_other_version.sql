{#
    A pre-hook of functions: drop this one if it is there. PostgreSQL replaces no function by one whose result has other
    columns, and keeps one that has other arguments beside the new. Runs in the transaction that creates it again.
#}
{% macro drop_other_version() -%}
    {%- if execute -%}
        {%- set found = run_query(
            "select cast(oid as regprocedure)::text from pg_proc where proname = '" ~ this.identifier ~ "'"
            ~ " and pronamespace = (select oid from pg_namespace where nspname = '" ~ this.schema ~ "')"
        ) -%}
        {%- for row in found.rows %}
            drop function {{ row[0] }};
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
