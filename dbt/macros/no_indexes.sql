{# Replace macros of dbt's adapters. Redshift takes that of dbt-postgres and cannot run it: it has no indexes. #}
{% macro redshift__get_create_index_sql(relation, index_dict) %}{% endmacro %}

{# DuckDB reads columns, which need none, and at times fails on a renamed table that has some. #}
{% macro duckdb__get_create_index_sql(relation, index_dict) %}{% endmacro %}
