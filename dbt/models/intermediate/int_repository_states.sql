-- One scan of the commits here spares all models that are built by repository a scan each.
with commits as (
    select * from {{ ref('fct_commits') }}
),

contributors as (
    select * from {{ ref('int_contributors') }}
),

trailers as (
    select * from {{ ref('stg_commit_trailers') }}
),

of_commits as (
    select
        commits.repository_id,
        count(*) as commits,
        {{ fingerprint([
            'commits.commit_hash', 'commits.contributor_id', 'contributors.contributor_kind', 'commits.activity_at',
            'commits.committed_day', 'commits.is_future_dated', 'commits.in_default_branch', 'commits.is_merge',
            'commits.is_first_of_patch', 'commits.is_first_of_patch_anywhere', 'commits.changed_run',
        ]) }} as fingerprint
    from commits
    left join contributors on commits.contributor_id = contributors.contributor_id
    group by commits.repository_id
),

of_trailers as (
    select
        trailers.repository_id,
        count(*) as trailers,
        {{ fingerprint([
            'trailers.commit_hash', 'trailers.trailer_position', 'trailers.trailer_kind', 'trailers.named_id',
            'trailers.changed_run', 'contributors.person_id', 'people.contributor_kind',
        ]) }} as fingerprint
    from trailers
    left join contributors on trailers.named_id = contributors.contributor_id
    left join contributors as people on contributors.person_id = people.contributor_id
    group by trailers.repository_id
)

select
    of_commits.repository_id,
    {{ as_text('of_commits.commits') }} || ' ' || of_commits.fingerprint
    || ' ' || {{ as_text('coalesce(of_trailers.trailers, 0)') }} || ' ' || coalesce(of_trailers.fingerprint, '')
        as state
from of_commits
left join of_trailers on of_commits.repository_id = of_trailers.repository_id
