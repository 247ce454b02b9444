{#
    Whether a row of fct_commits counts, after the variable `count_rewrites_once`:

    never           every commit counts;
    per_repository  of the commits of a repository that make the same change (equal patch ids), the first;
    everywhere      of all such commits of all repositories, the first; of a commit in several repositories, one row.
#}
{% macro is_counted() -%}
    {%- set columns = {
        'never': 'true', 'per_repository': 'is_first_of_patch', 'everywhere': 'is_first_of_patch_anywhere',
    } -%}
    {%- set choice = var('count_rewrites_once') | string -%}
    {%- if choice not in columns -%}
        {%- do exceptions.raise_compiler_error(
            'the variable count_rewrites_once is ' ~ choice ~ ': allowed are ' ~ (columns.keys() | join(', '))
        ) -%}
    {%- endif -%}
    {{ columns[choice] }}
{%- endmacro %}


{# The order in which the commits that make the same change come: a commit of the default branch counts there first. #}
{% macro order_of_rewrites() -%}
    case when in_default_branch then 0 else 1 end,
    case when commit_date is null then 1 else 0 end,
    commit_date,
    commit_hash
{%- endmacro %}
