-- Only fct_commits reads this view: whatever else counts commits reads fct_commits, so that one build
-- sees one state of the raw tables.
with commits as (
    select * from {{ source('raw', 'commits') }}
)

select
    id as commit_id,
    repository_id,
    commit_hash,
    contributor_id as author_id,
    committer_id,
    commit_date,
    committed_at,
    commit_date_offset_minutes as author_offset_minutes,
    created_at as extracted_at,
    parent_count > 1 as is_merge,
    in_default_branch,
    lines_added,
    lines_deleted,
    files_changed,
    first_parent_lines_added,
    first_parent_lines_deleted,
    first_parent_files_changed,
    patch_id,
    changed_run
from commits
