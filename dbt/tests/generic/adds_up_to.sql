{# In every row the columns of `parts` add up to `total`. #}
{% test adds_up_to(model, parts, total) %}
    select
        {{ total }},
        {{ parts | join(', ') }}
    from {{ model }}
    where {{ parts | join(' + ') }} <> {{ total }}
{% endtest %}
