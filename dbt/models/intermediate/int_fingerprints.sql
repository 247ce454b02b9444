-- One look at the commits of a repository here spares all models that are built by repository a look each. Who is who
-- is not in it: int_repository_states adds that, so that nothing is read again when somebody turns out to be another.
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

-- Those of commits that fct_commits does not hold yet are left to the next build.
trailers as (
    select trailers.*
    from {{ ref('stg_commit_trailers') }} as trailers
    inner join commits
        on
            trailers.repository_id = commits.repository_id
            and trailers.commit_hash = commits.commit_hash
    {{ where_outdated('trailers.repository_id') }}
),

of_commits as (
    select
        repository_id,
        contributor_id as identity_id,
        'commits' as what,
        cast(count(*) as bigint) as counted,
        {{ fingerprint([
            'commit_hash', 'contributor_id', 'activity_at', 'committed_day', 'is_future_dated', 'in_default_branch',
            'is_merge', 'is_first_of_patch', 'is_first_of_patch_anywhere', 'changed_run',
        ]) }} as fingerprint
    from commits
    group by repository_id, contributor_id
),

of_trailers as (
    select
        repository_id,
        coalesce(named_id, 0) as identity_id,
        'trailers' as what,
        cast(count(*) as bigint) as counted,
        {{ fingerprint(['commit_hash', 'trailer_position', 'trailer_kind', 'named_id', 'changed_run']) }} as fingerprint
    from trailers
    group by repository_id, coalesce(named_id, 0)
)

select * from of_commits
union all
select * from of_trailers
