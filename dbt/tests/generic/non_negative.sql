{# None of the columns is below 0. NULL passes. #}
{% test non_negative(model, columns) %}
    select {{ columns | join(', ') }}
    from {{ model }}
    where
        {% for column in columns %}
            {{ column }} < 0 {% if not loop.last %} or {% endif %}
        {% endfor %}
{% endtest %}
