with snapshots as (
    select * from {{ source('raw', 'repository_snapshots') }}
)

select
    id as snapshot_id,
    repository_id,
    taken_on,
    taken_at,
    last_seen_at,
    provider,
    host_id,
    full_name,
    stars,
    forks,
    watchers,
    open_issues,
    open_pull_requests,
    size_bytes,
    license_spdx,
    default_branch as host_default_branch,
    visibility,
    is_archived,
    is_fork,
    parent_full_name
from snapshots
