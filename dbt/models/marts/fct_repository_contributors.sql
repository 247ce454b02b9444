with metrics as (
    select * from {{ ref('int_contributor_metrics') }}
),

contributors as (
    select * from {{ ref('dim_contributor') }}
)

select
    metrics.repository_id,
    metrics.contributor_id,
    contributors.contributor_name,
    contributors.contributor_kind,
    row_number() over (
        partition by metrics.repository_id
        order by metrics.commits desc, metrics.all_refs_commits desc, metrics.contributor_id asc
    ) as commit_rank,
    metrics.commits,
    {{ calculate_share('metrics.commits', 'sum(metrics.commits) over (partition by metrics.repository_id)') }}
        as commit_share,
    metrics.merge_commits,
    metrics.lines_added,
    metrics.lines_deleted,
    {{ per_file_class("metrics.CLASS_lines_changed") }},
    metrics.active_days,
    metrics.first_commit_at,
    metrics.last_commit_at,
    metrics.commits_last_30_days,
    metrics.commits_last_90_days,
    metrics.all_refs_commits
from metrics
inner join contributors on metrics.contributor_id = contributors.contributor_id
