with totals as (
    select * from {{ ref('int_contributor_totals') }}
),

days as (
    select * from {{ ref('fct_daily_commits') }}
    where commit_day > {{ build_day(90) }}
),

recent as (
    select
        repository_id,
        contributor_id,
        cast(sum(case when commit_day > {{ build_day(30) }} then commits else 0 end) as bigint) as commits_last_30_days,
        cast(sum(commits) as bigint) as commits_last_90_days
    from days
    group by repository_id, contributor_id
)

select
    totals.repository_id,
    totals.contributor_id,
    totals.commits,
    totals.merge_commits,
    totals.co_authored_commits,
    totals.assisted_commits,
    totals.lines_added,
    totals.lines_deleted,
    {{ per_file_class("totals.CLASS_lines_changed") }},
    totals.active_days,
    totals.first_commit_at,
    totals.last_commit_at,
    coalesce(recent.commits_last_30_days, 0) as commits_last_30_days,
    coalesce(recent.commits_last_90_days, 0) as commits_last_90_days,
    totals.all_refs_commits,
    totals.all_refs_undated_commits,
    totals.all_refs_future_dated_commits
from totals
left join recent
    on
        totals.repository_id = recent.repository_id
        and totals.contributor_id = recent.contributor_id
