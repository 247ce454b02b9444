with commit_trailers as (
    select * from {{ source('raw', 'commit_trailers') }}
),

commits as (
    select * from {{ source('raw', 'commits') }}
)

select
    commit_trailers.repository_id,
    commits.commit_hash,
    commit_trailers.position as trailer_position,
    commit_trailers.key as trailer_key,
    commit_trailers.kind as trailer_kind,
    commit_trailers.contributor_id as named_id,
    commit_trailers.changed_run
from commit_trailers
inner join commits
    on
        commit_trailers.commit_id = commits.id
        and commit_trailers.repository_id = commits.repository_id
