{{
    config(
        materialized='incremental',
        on_schema_change='fail',
        pre_hook="{{ delete_outdated_repositories() }}",
        post_hook=["{{ forget_built_repositories() }}", "{{ remember_built_repositories() }}"],
    )
}}

with contributions as (
    select * from {{ ref('fct_contributions') }}
    {{ where_outdated() }}
),

contributors as (
    select * from {{ ref('int_contributors') }}
),

trailers as (
    select * from {{ ref('stg_commit_trailers') }}
    {{ where_outdated() }}
),

by_people as (
    select
        contributions.repository_id,
        contributions.commit_hash,
        contributors.contributor_kind <> 'assistant'
        and contributions.contribution_role = 'co_author' as is_co_authored,
        contributors.contributor_kind = 'assistant'
        and contributions.contribution_role in ('author', 'co_author', 'assistant') as is_assisted
    from contributions
    inner join contributors on contributions.contributor_id = contributors.contributor_id
),

-- A key such as Assisted-by that names no address: a tool.
by_tools as (
    select
        repository_id,
        commit_hash,
        false as is_co_authored,
        true as is_assisted
    from trailers
    where trailer_kind = 'assistant' and named_id is null
),

credits as (
    select * from by_people
    where is_co_authored or is_assisted
    union all
    select * from by_tools
)

select
    repository_id,
    commit_hash,
    max(case when is_co_authored then 1 else 0 end) = 1 as is_co_authored,
    max(case when is_assisted then 1 else 0 end) = 1 as is_assisted
from credits
group by repository_id, commit_hash
