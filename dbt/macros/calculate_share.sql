{# A part of a whole, 0 to 1, six places. NULL when the whole is 0. #}
{% macro calculate_share(part, whole) -%}
    cast(cast({{ part }} as {{ dbt.type_numeric() }}) / nullif({{ whole }}, 0) as numeric(7, 6))
{%- endmacro %}
