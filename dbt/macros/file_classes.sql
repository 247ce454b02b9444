{# The classes of files by the letter that the raw table has for each. Every file is of exactly one. #}
{% macro file_classes() %}
    {{- return({
        's': 'source',
        't': 'tests',
        'd': 'documentation',
        'c': 'configuration',
        'g': 'generated',
        'v': 'vendored',
        'x': 'excluded',
    }) -}}
{% endmacro %}


{# The classes whose lines and files count in the plain columns of all marts: the variable, checked. #}
{% macro counted_file_classes() %}
    {%- set known = file_classes().values() | list -%}
    {%- set counted = var('counted_file_classes') -%}
    {%- if counted is string or counted is not iterable or not counted -%}
        {{- exceptions.raise_compiler_error(
            "the variable counted_file_classes is " ~ counted ~ "; it must be a list of some of " ~ known | join(', ')
        ) -}}
    {%- endif -%}
    {%- for name in counted if name not in known -%}
        {{- exceptions.raise_compiler_error(
            "the variable counted_file_classes names the class " ~ name ~ "; there are " ~ known | join(', ')
        ) -}}
    {%- endfor -%}
    {{- return(counted | unique | list) -}}
{% endmacro %}


{# The sum of a measure (lines_added, lines_deleted or files_changed) over the classes that count, from a relation
   that has a column of it for each class. #}
{% macro counted(measure, relation) -%}
    {%- for name in counted_file_classes() -%}
        {{ relation }}.{{ name }}_{{ measure }}{% if not loop.last %} + {% endif %}
    {%- endfor -%}
{%- endmacro %}


{# The sum of a measure over all classes. #}
{% macro of_all_classes(measure) -%}
    {%- for name in file_classes().values() -%}
        {{ name }}_{{ measure }}{% if not loop.last %} + {% endif %}
    {%- endfor -%}
{%- endmacro %}


{# Select-list items, one for each class: `expression` with the name of the class in the place of CLASS. #}
{% macro per_file_class(expression) -%}
    {%- for name in file_classes().values() -%}
        {{ expression | replace('CLASS', name) }}{% if not loop.last %}, {% endif %}
    {%- endfor -%}
{%- endmacro %}


{# The name of the class that a letter stands for; NULL for one that stands for none. #}
{% macro file_class_name(letter) -%}
    case cast({{ letter }} as {{ dbt.type_string() }})
        {% for code, name in file_classes().items() %}
            when '{{ code }}' then '{{ name }}'
        {% endfor %}
    end
{%- endmacro %}


{# What git did to a file, by git's letter; NULL for one that stands for nothing here. #}
{% macro change_type_name(letter) -%}
    case cast({{ letter }} as {{ dbt.type_string() }})
        {% for code, name in {
            'A': 'added', 'D': 'deleted', 'M': 'modified', 'R': 'renamed', 'T': 'type_changed',
        }.items() %}
            when '{{ code }}' then '{{ name }}'
        {% endfor %}
    end
{%- endmacro %}
