{# Between two queries: each row once. #}
{% macro union_distinct() %}
    {{- return(adapter.dispatch('union_distinct', 'gitmart')()) -}}
{% endmacro %}

{% macro default__union_distinct() -%}
    union distinct
{%- endmacro %}

{# It knows no other word for it. #}
{% macro redshift__union_distinct() -%}
    union
{%- endmacro %}
