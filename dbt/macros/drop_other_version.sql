{#
    A pre-hook of functions: drop this one if it is there with other arguments or another result, which PostgreSQL
    neither replaces nor, with other arguments, drops for the new one. What stands on it goes with it, as it goes with a
    mart of another version. Runs in the transaction that creates it again. One that is as it was is replaced and
    keeps what stands on it.
#}
{% macro drop_other_version() -%}
    {%- if execute -%}
        {%- set wanted, defaults = [], [] -%}
        {%- for argument in model.arguments -%}
            {%- do wanted.append(argument.name ~ ' ' ~ argument.data_type) -%}
            {%- do defaults.append(argument.name) if argument.get('default_value') is not none -%}
        {%- endfor -%}
        {%- set result = model.returns.data_type | lower | replace('table (', 'table(') -%}
        {%- set found = run_query(
            "select cast(cast(oid as regprocedure) as text), pg_get_function_identity_arguments(oid),"
            ~ " lower(pg_get_function_result(oid)), pronargdefaults from pg_proc"
            ~ " where proname = '" ~ this.identifier ~ "'"
            ~ " and pronamespace = (select oid from pg_namespace where nspname = '" ~ this.schema ~ "')"
        ) -%}
        {%- for row in found.rows if (row[1], row[2], row[3]) != (wanted | join(', '), result, defaults | length) %}
            drop function {{ row[0] }} cascade;
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}
