{#
    Replaces dbt's macro of this name: an incremental table whose columns are those of another version of the
    project is rebuilt, as with --full-refresh. Its old rows would lack what the new columns say. So is one that is built
    by repository and of which nobody knows from which states. A project on top of this one need not describe its
    columns, and keeps dbt's own rule.
#}
{% macro should_full_refresh() %}
    {% if model.package_name != 'gitmart' %}
        {% do return(dbt.should_full_refresh()) %}
    {% endif %}
    {% set configured = config.get('full_refresh') %}
    {% if configured or (configured is none and flags.FULL_REFRESH) %}
        {% do return(true) %}
    {% endif %}
    {% set built = load_relation(this) %}
    {% if built is none %}
        {% do return(false) %}
    {% endif %}
    {% set there = adapter.get_columns_in_relation(built) | map(attribute='name') | map('lower') | sort %}
    {% if there != (model.columns.keys() | sort) %}
        {% do return(true) %}
    {% endif %}
    {% do return(is_built_by_repository() and not knows_its_repositories()) %}
{% endmacro %}
