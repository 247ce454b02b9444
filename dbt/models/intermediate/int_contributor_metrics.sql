with commits as (
    select * from {{ ref('fct_commits') }}
),

days as (
    select * from {{ ref('fct_daily_commits') }}
),

totals as (
    select
        repository_id,
        contributor_id,
        cast(sum(case when in_default_branch then 1 else 0 end) as bigint) as commits,
        cast(sum(case when in_default_branch and is_merge then 1 else 0 end) as bigint) as merge_commits,
        cast(sum(case when in_default_branch then lines_added else 0 end) as bigint) as lines_added,
        cast(sum(case when in_default_branch then lines_deleted else 0 end) as bigint) as lines_deleted,
        min(case when in_default_branch then activity_at end) as first_commit_at,
        max(case when in_default_branch then activity_at end) as last_commit_at,
        cast(count(*) as bigint) as all_refs_commits,
        cast(sum(case when activity_at is null then 1 else 0 end) as bigint) as all_refs_undated_commits,
        cast(sum(case when is_future_dated then 1 else 0 end) as bigint) as all_refs_future_dated_commits
    from commits
    group by repository_id, contributor_id
),

activity as (
    select
        repository_id,
        contributor_id,
        cast(count(*) as bigint) as active_days,
        cast(sum(case when commit_day > {{ build_day(30) }} then commits else 0 end) as bigint) as commits_last_30_days,
        cast(sum(case when commit_day > {{ build_day(90) }} then commits else 0 end) as bigint) as commits_last_90_days
    from days
    where commits > 0
    group by repository_id, contributor_id
)

select
    totals.repository_id,
    totals.contributor_id,
    totals.commits,
    totals.merge_commits,
    totals.lines_added,
    totals.lines_deleted,
    coalesce(activity.active_days, 0) as active_days,
    totals.first_commit_at,
    totals.last_commit_at,
    coalesce(activity.commits_last_30_days, 0) as commits_last_30_days,
    coalesce(activity.commits_last_90_days, 0) as commits_last_90_days,
    totals.all_refs_commits,
    totals.all_refs_undated_commits,
    totals.all_refs_future_dated_commits
from totals
left join activity
    on
        totals.repository_id = activity.repository_id
        and totals.contributor_id = activity.contributor_id
