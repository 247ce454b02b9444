-- Four look-ups for each repository, by index: whether anything of it has changed is asked in every build.
with repositories as (
    select * from {{ source('raw', 'repositories') }}
)

select
    id as repository_id,
    (
        select max(commits.changed_run) from {{ source('raw', 'commits') }} as commits
        where commits.repository_id = repositories.id
    ) as commits_changed_run,
    (
        select max(removed_commits.removed_run) from {{ source('raw', 'removed_commits') }} as removed_commits
        where removed_commits.repository_id = repositories.id
    ) as commits_removed_run,
    (
        select max(commit_trailers.changed_run) from {{ source('raw', 'commit_trailers') }} as commit_trailers
        where commit_trailers.repository_id = repositories.id
    ) as trailers_changed_run,
    (
        select max(patched.repository_id) from {{ source('raw', 'commits') }} as patched
        where patched.repository_id = repositories.id and patched.patch_id is not null
    ) is not null as has_patch_ids
from repositories
