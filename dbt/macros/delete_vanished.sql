{#
    A post-hook of fct_commits: delete the commits that vanished from their repository.

    A removal counts for a row of an earlier run only: a commit that came back has a later one. So the
    statement needs no watermark and may be repeated.
#}
{% macro delete_vanished_commits() -%}
    {%- if not config.get('full_refresh') %}
    delete from {{ this }}
    where exists (
        select 1 from {{ ref('stg_removed_commits') }} as removed
        where
            removed.repository_id = {{ this }}.repository_id
            and removed.commit_hash = {{ this }}.commit_hash
            and removed.removed_run > {{ this }}.changed_run
    )
    {% endif %}
{%- endmacro %}


{#
    A post-hook of fct_commits: delete the commits of repositories that `gitmart purge` has removed. A repository's
    row is there before its commits, and one that comes back has another id.
#}
{% macro delete_purged_repositories() -%}
    {%- if not config.get('full_refresh') %}
    delete from {{ this }}
    where not exists (
        select 1 from {{ ref('stg_repositories') }} as repositories
        where repositories.repository_id = {{ this }}.repository_id
    )
    {% endif %}
{%- endmacro %}


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
