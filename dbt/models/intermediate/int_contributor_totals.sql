-- Of int_contributor_metrics what does not depend on the day of the build.
{{
    config(
        materialized='incremental',
        on_schema_change='fail',
        pre_hook="{{ delete_outdated_repositories() }}",
        post_hook=["{{ forget_built_repositories() }}", "{{ remember_built_repositories() }}"],
    )
}}

with commits as (
    select * from {{ ref('fct_commits') }}
    where
        {{ is_counted() }}
        {% if is_incremental() %}
            and repository_id in ({{ outdated_repositories() }})
        {% endif %}
),

credits as (
    select * from {{ ref('int_commit_credits') }}
    {{ where_outdated() }}
),

days as (
    select * from {{ ref('fct_daily_commits') }}
    {{ where_outdated() }}
),

totals as (
    select
        repository_id,
        contributor_id,
        cast(sum(case when in_default_branch then 1 else 0 end) as bigint) as commits,
        cast(sum(case when in_default_branch and is_merge then 1 else 0 end) as bigint) as merge_commits,
        cast(sum(case when in_default_branch then lines_added else 0 end) as bigint) as lines_added,
        cast(sum(case when in_default_branch then lines_deleted else 0 end) as bigint) as lines_deleted,
        {% set changed = "case when in_default_branch then CLASS_lines_added + CLASS_lines_deleted else 0 end" %}
        {{ per_file_class("cast(sum(" ~ changed ~ ") as bigint) as CLASS_lines_changed") }},
        min(case when in_default_branch then activity_at end) as first_commit_at,
        max(case when in_default_branch then activity_at end) as last_commit_at,
        cast(count(*) as bigint) as all_refs_commits,
        cast(sum(case when activity_at is null then 1 else 0 end) as bigint) as all_refs_undated_commits,
        cast(sum(case when is_future_dated then 1 else 0 end) as bigint) as all_refs_future_dated_commits
    from commits
    group by repository_id, contributor_id
),

credited as (
    select
        commits.repository_id,
        commits.contributor_id,
        cast(sum(case when credits.is_co_authored then 1 else 0 end) as bigint) as co_authored_commits,
        cast(sum(case when credits.is_assisted then 1 else 0 end) as bigint) as assisted_commits
    from credits
    inner join commits
        on
            credits.repository_id = commits.repository_id
            and credits.commit_hash = commits.commit_hash
    where commits.in_default_branch
    group by commits.repository_id, commits.contributor_id
),

activity as (
    select
        repository_id,
        contributor_id,
        cast(count(*) as bigint) as active_days
    from days
    where commits > 0
    group by repository_id, contributor_id
)

select
    totals.repository_id,
    totals.contributor_id,
    totals.commits,
    totals.merge_commits,
    coalesce(credited.co_authored_commits, 0) as co_authored_commits,
    coalesce(credited.assisted_commits, 0) as assisted_commits,
    totals.lines_added,
    totals.lines_deleted,
    {{ per_file_class("totals.CLASS_lines_changed") }},
    coalesce(activity.active_days, 0) as active_days,
    totals.first_commit_at,
    totals.last_commit_at,
    totals.all_refs_commits,
    totals.all_refs_undated_commits,
    totals.all_refs_future_dated_commits
from totals
left join credited
    on
        totals.repository_id = credited.repository_id
        and totals.contributor_id = credited.contributor_id
left join activity
    on
        totals.repository_id = activity.repository_id
        and totals.contributor_id = activity.contributor_id
