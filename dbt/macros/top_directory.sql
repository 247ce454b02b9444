{# The first directory of a path, with `/` at its end; `./` for a file that lies in none. #}
{% macro top_directory(path) -%}
    case
        when {{ path }} like '%/%' then substr({{ path }}, 1, {{ dbt.position("'/'", path) | trim }})
        else './'
    end
{%- endmacro %}
