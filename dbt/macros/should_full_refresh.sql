{#
    Replaces dbt's macro of this name: an incremental table whose columns are those of another version of the
    project is rebuilt, as with --full-refresh. Its old rows would lack what the new columns say.
#}
{% macro should_full_refresh() %}
    {% if flags.FULL_REFRESH %}
        {% do return(true) %}
    {% endif %}
    {% set built = load_relation(this) %}
    {% if built is none %}
        {% do return(false) %}
    {% endif %}
    {% set there = adapter.get_columns_in_relation(built) | map(attribute='name') | sort %}
    {% do return(there != (model.columns.keys() | sort)) %}
{% endmacro %}
