{{
    config(
        materialized='incremental',
        on_schema_change='fail',
        pre_hook="{{ delete_outdated_repositories() }}",
        post_hook=["{{ forget_built_repositories() }}", "{{ remember_built_repositories() }}"],
    )
}}

with series as (
    select * from {{ ref('int_time_series') }}
    {{ where_outdated() }}
)

select
    repository_id,
    granularity,
    period_start,
    commits,
    merge_commits,
    lines_added,
    lines_deleted,
    files_changed,
    contributors,
    new_contributors,
    returning_contributors,
    cast(
        sum(commits) over (
            partition by repository_id, granularity order by period_start
            rows between unbounded preceding and current row
        ) as bigint
    ) as commits_to_date,
    cast(
        sum(new_contributors) over (
            partition by repository_id, granularity order by period_start
            rows between unbounded preceding and current row
        ) as bigint
    ) as contributors_to_date,
    all_refs_commits,
    all_refs_contributors
from series
