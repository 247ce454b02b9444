{#
    A pre-hook: every statement of the model's transaction sees the raw tables as they are at its first one.
    Without it an extraction that commits between the model's statements would be seen by the later ones only.
#}
{% macro one_snapshot() %}
    {{- return(adapter.dispatch('one_snapshot', 'gitmart')()) -}}
{% endmacro %}

{% macro default__one_snapshot() %}{% endmacro %}

{% macro postgres__one_snapshot() -%}
    set transaction isolation level repeatable read
{%- endmacro %}
