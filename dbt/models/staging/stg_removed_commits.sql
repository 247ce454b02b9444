with removed_commits as (
    select * from {{ source('raw', 'removed_commits') }}
)

select
    repository_id,
    commit_hash,
    removed_run,
    reason
from removed_commits
