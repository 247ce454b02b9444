-- What dim_identity and dim_contributor ask of the commits, in rows that add up.
{{
    config(
        materialized='incremental',
        on_schema_change='fail',
        pre_hook="{{ delete_outdated_repositories() }}",
        post_hook=["{{ forget_built_repositories() }}", "{{ remember_built_repositories() }}"],
    )
}}

with commits as (
    select * from {{ ref('fct_commits') }}
    {{ where_outdated() }}
),

-- Apart, so that each reads the commits once and sums a column alone.
authored as (
    select
        repository_id,
        author_id as identity_id,
        'author' as git_role,
        contributor_id,
        cast(count(*) as bigint) as authored_commits,
        cast(0 as bigint) as committed_commits
    from commits
    group by repository_id, author_id, contributor_id
),

committed as (
    select
        repository_id,
        committer_id as identity_id,
        'committer' as git_role,
        cast(null as bigint) as contributor_id,
        cast(0 as bigint) as authored_commits,
        cast(count(*) as bigint) as committed_commits
    from commits
    group by repository_id, committer_id
)

select * from authored
union all
select * from committed
