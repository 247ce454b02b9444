{# Replaces a macro of dbt-postgres, which dbt-redshift takes and cannot run: Redshift has no indexes. #}
{% macro redshift__get_create_index_sql(relation, index_dict) %}{% endmacro %}
