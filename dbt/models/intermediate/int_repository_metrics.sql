with contributors as (
    select * from {{ ref('int_contributor_metrics') }}
),

series as (
    select * from {{ ref('int_time_series') }}
),

totals as (
    select
        repository_id,
        cast(sum(commits) as bigint) as commits,
        cast(sum(merge_commits) as bigint) as merge_commits,
        cast(sum(co_authored_commits) as bigint) as co_authored_commits,
        cast(sum(assisted_commits) as bigint) as assisted_commits,
        cast(sum(lines_added) as bigint) as lines_added,
        cast(sum(lines_deleted) as bigint) as lines_deleted,
        {{ per_file_class("cast(sum(CLASS_lines_changed) as bigint) as CLASS_lines_changed") }},
        cast(sum(case when commits > 0 then 1 else 0 end) as bigint) as contributors,
        min(first_commit_at) as first_commit_at,
        max(last_commit_at) as last_commit_at,
        cast(sum(commits_last_30_days) as bigint) as commits_last_30_days,
        cast(sum(commits_last_90_days) as bigint) as commits_last_90_days,
        cast(sum(all_refs_commits) as bigint) as all_refs_commits,
        cast(count(*) as bigint) as all_refs_contributors,
        cast(sum(all_refs_undated_commits) as bigint) as all_refs_undated_commits,
        cast(sum(all_refs_future_dated_commits) as bigint) as all_refs_future_dated_commits
    from contributors
    group by repository_id
),

active_days as (
    select
        repository_id,
        cast(count(*) as bigint) as active_days
    from series
    where granularity = 'day' and commits > 0
    group by repository_id
),

-- Who has no commit in the default branch is no contributor to it: n counts the others.
ranked as (
    select
        repository_id,
        commits,
        row_number() over (partition by repository_id order by commits, contributor_id) as ascending_rank,
        sum(commits) over (partition by repository_id) as total,
        sum(commits) over (
            partition by repository_id order by commits desc, contributor_id asc
            rows between unbounded preceding and current row
        ) - commits as made_by_those_with_more
    from contributors
    where commits > 0
),

concentration as (
    select
        repository_id,
        cast({{ calculate_absence_factor('made_by_those_with_more', 'total') }} as bigint) as absence_factor,
        {{ calculate_gini_coefficient('commits', 'ascending_rank') }} as gini_coefficient
    from ranked
    group by repository_id
)

select
    totals.*,
    coalesce(active_days.active_days, 0) as active_days,
    concentration.absence_factor,
    concentration.gini_coefficient
from totals
left join active_days on totals.repository_id = active_days.repository_id
left join concentration on totals.repository_id = concentration.repository_id
