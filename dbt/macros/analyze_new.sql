{#
    A post-hook of the marts: let the server look at a table that was just made. PostgreSQL does so by itself within a
    minute or so, but until then takes what several switches leave for a handful of rows, and compares everything with
    everything: 20 seconds in place of a tenth of one, of 2 million commits. What is made anew by each build, such as
    the people, it would never have looked at when it is read first.
#}
{% macro analyze_new() -%}
    {%- if model.config.materialized in ('table', 'incremental') and not is_incremental() -%}
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
