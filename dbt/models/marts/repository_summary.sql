with repositories as (
    select * from {{ ref('dim_repository') }}
),

metrics as (
    select * from {{ ref('int_repository_metrics') }}
)

select
    repositories.repository_id,
    repositories.repository_name,
    repositories.url,
    repositories.default_branch,
    repositories.state,
    repositories.last_processed_at,
    coalesce(metrics.commits, 0) as commits,
    coalesce(metrics.contributors, 0) as contributors,
    metrics.absence_factor,
    metrics.gini_coefficient,
    coalesce(metrics.merge_commits, 0) as merge_commits,
    coalesce(metrics.lines_added, 0) as lines_added,
    coalesce(metrics.lines_deleted, 0) as lines_deleted,
    coalesce(metrics.active_days, 0) as active_days,
    metrics.first_commit_at,
    metrics.last_commit_at,
    coalesce(metrics.commits_last_30_days, 0) as commits_last_30_days,
    coalesce(metrics.commits_last_90_days, 0) as commits_last_90_days,
    coalesce(metrics.all_refs_commits, 0) as all_refs_commits,
    coalesce(metrics.all_refs_contributors, 0) as all_refs_contributors,
    coalesce(metrics.all_refs_undated_commits, 0) as all_refs_undated_commits,
    coalesce(metrics.all_refs_future_dated_commits, 0) as all_refs_future_dated_commits,
    {{ build_day() }} as summarized_on
from repositories
left join metrics on repositories.repository_id = metrics.repository_id
