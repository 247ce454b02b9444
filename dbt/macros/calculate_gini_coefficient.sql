{#
    Gini coefficient of `amount` over the rows of a group, as an aggregate: 0 when all are equal, towards 1
    when one has everything. `ascending_rank` numbers the rows of the group from 1 by rising amount.

        sum((2i - n - 1) * x_i) / (n * T)    with n rows, T = sum of x, i = rank

    Uncorrected (no factor n / (n - 1)), six places. NULL without rows or when T is 0; 0 for one row.
#}
{% macro calculate_gini_coefficient(amount, ascending_rank) -%}
    cast(
        cast(
            2 * sum({{ ascending_rank }} * {{ amount }}) - (count(*) + 1) * sum({{ amount }})
            as {{ dbt.type_numeric() }}
        ) / nullif(count(*) * sum({{ amount }}), 0)
        as numeric(7, 6)
    )
{%- endmacro %}
