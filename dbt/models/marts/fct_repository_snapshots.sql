with snapshots as (
    select * from {{ ref('stg_repository_snapshots') }}
)

select
    repository_id,
    taken_on,
    taken_at,
    last_seen_at,
    row_number() over (partition by repository_id order by taken_on desc) = 1 as is_latest,
    snapshot_id,
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
    host_default_branch,
    visibility,
    is_archived,
    is_fork,
    parent_full_name
from snapshots
