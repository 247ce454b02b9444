with contributors as (
    select * from {{ ref('dim_contributor') }}
),

metrics as (
    select * from {{ ref('int_contributor_metrics') }}
),

days as (
    select * from {{ ref('fct_daily_commits') }}
),

totals as (
    select
        contributor_id,
        cast(sum(case when commits > 0 then 1 else 0 end) as bigint) as repositories,
        cast(sum(commits) as bigint) as commits,
        cast(sum(merge_commits) as bigint) as merge_commits,
        cast(sum(co_authored_commits) as bigint) as co_authored_commits,
        cast(sum(assisted_commits) as bigint) as assisted_commits,
        cast(sum(lines_added) as bigint) as lines_added,
        cast(sum(lines_deleted) as bigint) as lines_deleted,
        {{ per_file_class("cast(sum(CLASS_lines_changed) as bigint) as CLASS_lines_changed") }},
        min(first_commit_at) as first_commit_at,
        max(last_commit_at) as last_commit_at,
        cast(sum(commits_last_30_days) as bigint) as commits_last_30_days,
        cast(sum(commits_last_90_days) as bigint) as commits_last_90_days,
        cast(sum(all_refs_commits) as bigint) as all_refs_commits
    from metrics
    group by contributor_id
),

-- A day on which somebody worked in two repositories is one day.
days_of_people as (
    select
        contributor_id,
        commit_day
    from days
    where commits > 0
    group by contributor_id, commit_day
),

active_days as (
    select
        contributor_id,
        cast(count(*) as bigint) as active_days
    from days_of_people
    group by contributor_id
)

select
    contributors.contributor_id,
    contributors.contributor_name,
    contributors.email,
    contributors.username,
    contributors.contributor_kind,
    contributors.identities,
    row_number() over (
        order by totals.commits desc, totals.all_refs_commits desc, contributors.contributor_id asc
    ) as commit_rank,
    totals.repositories,
    totals.commits,
    totals.merge_commits,
    totals.co_authored_commits,
    totals.assisted_commits,
    {{ calculate_share('totals.assisted_commits', 'totals.commits') }} as assisted_commit_share,
    totals.lines_added,
    totals.lines_deleted,
    {{ per_file_class("totals.CLASS_lines_changed") }},
    coalesce(active_days.active_days, 0) as active_days,
    totals.first_commit_at,
    totals.last_commit_at,
    totals.commits_last_30_days,
    totals.commits_last_90_days,
    totals.all_refs_commits,
    {{ build_day() }} as summarized_on
from contributors
inner join totals on contributors.contributor_id = totals.contributor_id
left join active_days on contributors.contributor_id = active_days.contributor_id
