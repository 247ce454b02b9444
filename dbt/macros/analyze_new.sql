{#
    A post-hook of the facts that functions read: let the server look at a table that was just made. PostgreSQL does so
    by itself within a minute or so, but until then takes what several switches leave for a handful of rows, and
    compares everything with everything: 20 seconds in place of a tenth of one, of 2 million commits.
#}
{% macro analyze_new() -%}
    {%- if not is_incremental() -%}
        {{ return(adapter.dispatch('analyze_new', 'gitmart')()) }}
    {%- endif -%}
{%- endmacro %}


{% macro default__analyze_new() -%}
{%- endmacro %}


{% macro postgres__analyze_new() -%}
    analyze {{ this }}
{%- endmacro %}


{# Redshift's adapter would take PostgreSQL's. #}
{% macro redshift__analyze_new() -%}
{%- endmacro %}
