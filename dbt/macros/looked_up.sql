{#
    From clause: the rows of a relation or step that belong to those of another, `few`, by a condition over both names;
    each of the few looks its rows up. PostgreSQL guesses the number of a step's rows, and with a guess that is too high
    reads the whole relation; `offset 0` keeps it from that.
#}
{% macro looked_up(few, relation, name, condition) %}
    {{- return(adapter.dispatch('looked_up', 'gitmart')(few, relation, name, condition)) -}}
{% endmacro %}

{% macro default__looked_up(few, relation, name, condition) -%}
    from {{ few }}
    inner join {{ relation }} as {{ name }} on {{ condition }}
{%- endmacro %}

{% macro postgres__looked_up(few, relation, name, condition) -%}
    from {{ few }}
    cross join lateral (
        select * from {{ relation }} as {{ name }}
        where {{ condition }}
        offset 0
    ) as {{ name }}
{%- endmacro %}

{# It takes PostgreSQL's macros, and has no lateral joins. #}
{% macro redshift__looked_up(few, relation, name, condition) -%}
    {{ gitmart.default__looked_up(few, relation, name, condition) }}
{%- endmacro %}
