{#
    Contributor absence factor (bus factor) over the rows of a group, as an aggregate: the smallest number of
    contributors who made at least half of `total`. `before` is what those with more made together, so a row
    is needed as long as `before` is less than half. NULL without rows or when the total is 0.
#}
{% macro calculate_absence_factor(before, total) -%}
    nullif(sum(case when 2 * {{ before }} < {{ total }} then 1 else 0 end), 0)
{%- endmacro %}
