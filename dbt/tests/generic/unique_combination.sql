{# The columns together are a key: no two rows agree in all of them, and none of them is NULL. #}
{% test unique_combination(model, columns) %}
    select
        {{ columns | join(', ') }},
        count(*) as row_count
    from {{ model }}
    group by {{ columns | join(', ') }}
    having
        count(*) > 1
        {% for column in columns %}
            or count({{ column }}) = 0
        {% endfor %}
{% endtest %}
