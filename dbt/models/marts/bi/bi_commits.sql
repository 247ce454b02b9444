select
    repository_id,
    repository_name,
    repository_url,
    commit_hash,
    contributor_id,
    contributor_name,
    contributor_kind,
    organization,
    activity_at,
    commit_day,
    author_local_weekday,
    author_local_hour,
    is_merge,
    lines_added,
    lines_deleted,
    files_changed
from {{ ref('bi_all_refs_commits') }}
where in_default_branch and {{ is_counted() }}
