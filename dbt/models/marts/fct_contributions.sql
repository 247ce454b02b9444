-- Who named whom may change without the commit changing (identities are joined and told apart), so the commits to
-- replace are found by comparing, as in fct_daily_activity, in the repositories of which anything has changed. Commits
-- that fct_commits does not hold yet are left to the next build.
{{
    config(
        materialized='incremental',
        unique_key=['repository_id', 'commit_hash'],
        on_schema_change='fail',
        indexes=[{'columns': ['contributor_id']}],
        post_hook=[
            "{% if is_incremental() %}{{ delete_vanished_contributions() }}{% endif %}",
            "{{ forget_built_repositories() }}",
            "{{ remember_built_repositories() }}",
        ],
    )
}}

with commits as (
    select * from {{ ref('fct_commits') }}
    {{ where_outdated() }}
),

contributors as (
    select * from {{ ref('int_contributors') }}
),

trailers as (
    select * from {{ ref('stg_commit_trailers') }}
    {{ where_outdated() }}
),

authors as (
    select
        repository_id,
        commit_hash,
        contributor_id,
        'author' as contribution_role,
        in_default_branch
    from commits
),

-- An assistant's key names people, too, from times when it meant a helping hand.
named as (
    select distinct
        commits.repository_id,
        commits.commit_hash,
        contributors.person_id as contributor_id,
        case
            when trailers.trailer_kind = 'assistant' and people.contributor_kind <> 'assistant' then 'helper'
            else trailers.trailer_kind
        end as contribution_role,
        commits.in_default_branch
    from trailers
    inner join commits
        on
            trailers.repository_id = commits.repository_id
            and trailers.commit_hash = commits.commit_hash
    inner join contributors on trailers.named_id = contributors.contributor_id
    inner join contributors as people on contributors.person_id = people.contributor_id
    where trailers.trailer_kind <> 'co_author' or contributors.person_id <> commits.contributor_id
),

contributions as (
    select * from authors
    union all
    select * from named
),

{% if is_incremental() %}
    built as (
        select * from {{ this }}
        {{ where_outdated() }}
    ),

    changed_commits as (
        select distinct
            coalesce(contributions.repository_id, built.repository_id) as repository_id,
            coalesce(contributions.commit_hash, built.commit_hash) as commit_hash
        from contributions
        full outer join built
            on
                contributions.repository_id = built.repository_id
                and contributions.commit_hash = built.commit_hash
                and contributions.contributor_id = built.contributor_id
                and contributions.contribution_role = built.contribution_role
        where
            contributions.repository_id is null
            or built.repository_id is null
            or contributions.in_default_branch <> built.in_default_branch
    ),

    selected as (
        select contributions.*
        from contributions
        inner join changed_commits
            on
                contributions.repository_id = changed_commits.repository_id
                and contributions.commit_hash = changed_commits.commit_hash
    )
{% else %}
    selected as (
        select * from contributions
    )
{% endif %}

select
    repository_id,
    commit_hash,
    contributor_id,
    contribution_role,
    in_default_branch
from selected
