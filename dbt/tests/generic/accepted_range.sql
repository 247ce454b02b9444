{# The column lies between `at_least` and `at_most`, both included and each optional. NULL passes. #}
{% test accepted_range(model, column_name, at_least=none, at_most=none) %}
    {% if at_least is none and at_most is none %}
        {{ exceptions.raise_compiler_error("accepted_range needs at_least, at_most or both") }}
    {% endif %}
    select {{ column_name }}
    from {{ model }}
    where
        {% if at_least is not none %} {{ column_name }} < {{ at_least }} {% endif %}
        {% if at_least is not none and at_most is not none %} or {% endif %}
        {% if at_most is not none %} {{ column_name }} > {{ at_most }} {% endif %}
{% endtest %}
