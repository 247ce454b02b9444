{#
    What a tag's name says by the rules of semantic versioning (semver.org), with any words before the version and as
    many parts as it has: pre_release (2.0.0-rc1, 2.0b3), major (2.0.0, 2.0), minor (2.1.0, 2.1), patch (2.1.3), or other.
#}
{% macro release_type(tag_name) -%}
    {%- set name = 'lower(' ~ tag_name ~ ')' -%}
    {%- set before = '^(.*[^0-9.])?' -%}
    case
        when {{ matches(
            name, before ~ '[0-9]+([.][0-9]+)*[-._]?(alpha|beta|a|b|c|rc|pre|preview|dev|m|snapshot|nightly)([-._]?[0-9]+)*$'
        ) }} then 'pre_release'
        when {{ matches(name, before ~ '[0-9]+([.]0+)+$') }} then 'major'
        when {{ matches(name, before ~ '[0-9]+[.]0*[1-9][0-9]*([.]0+)*$') }} then 'minor'
        when {{ matches(name, before ~ '[0-9]+([.][0-9]+)+$') }} then 'patch'
        else 'other'
    end
{%- endmacro %}


{# Whether a text is one that a regular expression describes from ^ to $. #}
{% macro matches(text, pattern) %}
    {{- return(adapter.dispatch('matches', 'gitmart')(text, pattern)) -}}
{% endmacro %}

{% macro default__matches(text, pattern) -%}
    regexp_like({{ text }}, '{{ pattern }}')
{%- endmacro %}

{% macro postgres__matches(text, pattern) -%}
    {{ text }} ~ '{{ pattern }}'
{%- endmacro %}

{% macro bigquery__matches(text, pattern) -%}
    regexp_contains({{ text }}, '{{ pattern }}')
{%- endmacro %}

{% macro duckdb__matches(text, pattern) -%}
    regexp_matches({{ text }}, '{{ pattern }}')
{%- endmacro %}
