{#
    The columns together are a key: no two rows agree in all of them, and none of them is NULL. Where the database
    itself holds them to that, nothing is read. It knows that of a table: a view that has every row of a table once, and
    these columns as they are there, says so with `as_in`.
#}
{% test unique_combination(model, columns, as_in=none) %}
    {% set held = is_key(as_in or model, columns) %}
    select
        {{ columns | join(', ') }},
        count(*) as row_count
    from {{ model }}
    {% if held %}
        where 1 = 0
    {% endif %}
    group by {{ columns | join(', ') }}
    having
        count(*) > 1
        {% for column in columns %}
            or count({{ column }}) = 0
        {% endfor %}
{% endtest %}
