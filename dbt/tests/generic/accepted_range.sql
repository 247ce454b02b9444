{# The column lies between `at_least` and `at_most`, both included and each optional. NULL passes. #}
{% test accepted_range(model, column_name, at_least=none, at_most=none) %}
    {% if at_least is none and at_most is none %}
        {{ exceptions.raise_compiler_error("accepted_range of " ~ column_name ~ " needs at_least, at_most or both") }}
    {% endif %}
    select {{ column_name }}
    from {{ model }}
    where
        {{ column_name }} < {{ column_name if at_least is none else at_least }}
        or {{ column_name }} > {{ column_name if at_most is none else at_most }}
{% endtest %}
