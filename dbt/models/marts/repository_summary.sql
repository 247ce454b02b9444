with repositories as (
    select * from {{ ref('dim_repository') }}
),

metrics as (
    select * from {{ ref('int_repository_metrics') }}
),

snapshots as (
    select * from {{ ref('fct_repository_snapshots') }}
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
    coalesce(metrics.co_authored_commits, 0) as co_authored_commits,
    coalesce(metrics.assisted_commits, 0) as assisted_commits,
    {{ calculate_share('metrics.assisted_commits', 'metrics.commits') }} as assisted_commit_share,
    coalesce(metrics.lines_added, 0) as lines_added,
    coalesce(metrics.lines_deleted, 0) as lines_deleted,
    {{ per_file_class("coalesce(metrics.CLASS_lines_changed, 0) as CLASS_lines_changed") }},
    coalesce(metrics.active_days, 0) as active_days,
    metrics.first_commit_at,
    metrics.last_commit_at,
    coalesce(metrics.commits_last_30_days, 0) as commits_last_30_days,
    coalesce(metrics.commits_last_90_days, 0) as commits_last_90_days,
    coalesce(metrics.all_refs_commits, 0) as all_refs_commits,
    coalesce(metrics.all_refs_contributors, 0) as all_refs_contributors,
    coalesce(metrics.all_refs_undated_commits, 0) as all_refs_undated_commits,
    coalesce(metrics.all_refs_future_dated_commits, 0) as all_refs_future_dated_commits,
    snapshots.stars,
    snapshots.forks,
    snapshots.watchers,
    snapshots.open_issues,
    snapshots.open_pull_requests,
    repositories.license_spdx,
    repositories.main_language,
    repositories.metadata_seen_at,
    {{ build_day() }} as summarized_on
from repositories
left join metrics on repositories.repository_id = metrics.repository_id
left join snapshots on repositories.repository_id = snapshots.repository_id and snapshots.is_latest
