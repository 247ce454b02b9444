-- What the marts say of a repository equals what the raw tables hold. A repository that was extracted since this
-- build began is left to the next build.
{{ config(severity='error', store_failures=true) }}

with quiet_repositories as (
    select repository_id
    from {{ source('raw', 'extraction_runs') }}
    group by repository_id
    having max(finished_at) < {{ instant(run_started_at) }}
),

raw_totals as (
    select
        repository_id,
        count(*) as all_refs_commits,
        sum(case when in_default_branch then 1 else 0 end) as commits,
        sum(case when in_default_branch then lines_added + lines_deleted else 0 end) as changed_lines,
        sum(files_changed) as changed_files,
        sum(lines_added + lines_deleted) as lines_of_files,
        max(changed_run) as changed_run
    from {{ source('raw', 'commits') }}
    group by repository_id
),

fact_totals as (
    select
        repository_id,
        count(*) as all_refs_commits,
        sum(case when in_default_branch then 1 else 0 end) as commits,
        sum(
            case when in_default_branch then all_classes_lines_added + all_classes_lines_deleted else 0 end
        ) as changed_lines,
        max(changed_run) as changed_run
    from {{ ref('fct_commits') }}
    group by repository_id
),

-- What the variable count_rewrites_once leaves of them for all other marts.
counted_totals as (
    select
        repository_id,
        count(*) as all_refs_commits,
        sum(case when in_default_branch then 1 else 0 end) as commits,
        sum(case when in_default_branch then lines_added + lines_deleted else 0 end) as counted_lines,
        sum(case when commit_day is not null then 1 else 0 end) as all_refs_dated_commits,
        sum(case when commit_day is not null and in_default_branch then 1 else 0 end) as dated_commits
    from {{ ref('fct_commits') }}
    where {{ is_counted() }}
    group by repository_id
),

daily_totals as (
    select
        repository_id,
        sum(all_refs_commits) as all_refs_dated_commits,
        sum(commits) as dated_commits
    from {{ ref('fct_daily_commits') }}
    group by repository_id
),

file_totals as (
    select
        repository_id,
        count(*) as changed_files,
        sum(lines_added + lines_deleted) as lines_of_files
    from {{ ref('fct_file_changes') }}
    group by repository_id
),

leaderboard_totals as (
    select
        repository_id,
        sum(commit_count) as commits
    from {{ ref('stg_repository_contributors') }}
    group by repository_id
)

select
    quiet_repositories.repository_id,
    raw_totals.all_refs_commits as raw_all_refs_commits,
    fact_totals.all_refs_commits as fact_all_refs_commits,
    summary.all_refs_commits as summary_all_refs_commits,
    raw_totals.commits as raw_commits,
    leaderboard_totals.commits as leaderboard_commits,
    fact_totals.commits as fact_commits,
    summary.commits as summary_commits,
    raw_totals.changed_lines as raw_changed_lines,
    fact_totals.changed_lines as fact_changed_lines,
    raw_totals.changed_files as raw_changed_files,
    file_totals.changed_files,
    raw_totals.lines_of_files as raw_lines_of_files,
    file_totals.lines_of_files,
    counted_totals.counted_lines,
    summary.lines_added + summary.lines_deleted as summary_counted_lines,
    raw_totals.changed_run as raw_changed_run,
    fact_totals.changed_run as fact_changed_run,
    counted_totals.commits as counted_commits,
    counted_totals.all_refs_commits as counted_all_refs_commits,
    counted_totals.dated_commits as counted_dated_commits,
    daily_totals.dated_commits as daily_dated_commits,
    counted_totals.all_refs_dated_commits as counted_all_refs_dated_commits,
    daily_totals.all_refs_dated_commits as daily_all_refs_dated_commits
from quiet_repositories
left join raw_totals on quiet_repositories.repository_id = raw_totals.repository_id
left join fact_totals on quiet_repositories.repository_id = fact_totals.repository_id
left join counted_totals on quiet_repositories.repository_id = counted_totals.repository_id
left join daily_totals on quiet_repositories.repository_id = daily_totals.repository_id
left join file_totals on quiet_repositories.repository_id = file_totals.repository_id
left join leaderboard_totals on quiet_repositories.repository_id = leaderboard_totals.repository_id
left join {{ ref('repository_summary') }} as summary on quiet_repositories.repository_id = summary.repository_id
where
    coalesce(raw_totals.all_refs_commits, 0) <> coalesce(fact_totals.all_refs_commits, 0)
    or coalesce(counted_totals.all_refs_commits, 0) <> coalesce(summary.all_refs_commits, -1)
    or coalesce(raw_totals.commits, 0) <> coalesce(fact_totals.commits, 0)
    or coalesce(counted_totals.commits, 0) <> coalesce(summary.commits, -1)
    or coalesce(raw_totals.commits, 0) <> coalesce(leaderboard_totals.commits, 0)
    or coalesce(raw_totals.changed_lines, 0) <> coalesce(fact_totals.changed_lines, 0)
    or coalesce(raw_totals.changed_files, 0) <> coalesce(file_totals.changed_files, 0)
    or coalesce(raw_totals.lines_of_files, 0) <> coalesce(file_totals.lines_of_files, 0)
    or coalesce(counted_totals.counted_lines, 0) <> coalesce(summary.lines_added + summary.lines_deleted, -1)
    or coalesce(raw_totals.changed_run, 0) <> coalesce(fact_totals.changed_run, 0)
    or coalesce(counted_totals.dated_commits, 0) <> coalesce(daily_totals.dated_commits, 0)
    or coalesce(counted_totals.all_refs_dated_commits, 0) <> coalesce(daily_totals.all_refs_dated_commits, 0)
