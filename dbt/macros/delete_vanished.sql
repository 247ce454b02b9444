{#
    A post-hook of fct_daily_activity: delete the days of one kind of date that have no commit any more. `day` is the
    column of fct_commits that has that kind.
#}
{% macro delete_vanished_days(date_kind, day) -%}
    delete from {{ this }}
    where
        {{ this }}.date_kind = '{{ date_kind }}'
        and {{ this }}.repository_id in ({{ outdated_repositories() }})
        and not exists (
            select 1 from {{ ref('fct_commits') }} as commits
            where
                commits.repository_id = {{ this }}.repository_id
                and commits.{{ day }} = {{ this }}.activity_day
        )
{%- endmacro %}


{# A post-hook of fct_contributions: delete what was contributed to commits that are gone. #}
{% macro delete_vanished_contributions() -%}
    delete from {{ this }}
    where
        {{ this }}.repository_id in ({{ outdated_repositories() }})
        and not exists (
            select 1 from {{ ref('fct_commits') }} as commits
            where
                commits.repository_id = {{ this }}.repository_id
                and commits.commit_hash = {{ this }}.commit_hash
        )
{%- endmacro %}


{# A post-hook of fct_file_changes: delete the files of commits that are gone, or were extracted anew. #}
{% macro delete_vanished_file_changes() -%}
    delete from {{ this }}
    where
        {{ this }}.repository_id in ({{ outdated_repositories() }})
        and not exists (
            select 1 from {{ ref('fct_commits') }} as commits
            where
                commits.repository_id = {{ this }}.repository_id
                and commits.commit_id = {{ this }}.commit_id
        )
{%- endmacro %}
