{{ config(pre_hook="{{ drop_other_version() }}") }}

with days as (
    {{ chosen_days() }}
),

counted as (
    select
        repository_id,
        cast(sum(commits) as bigint) as commits,
        cast(sum(case when is_merge then commits else 0 end) as bigint) as merge_commits,
        count(distinct contributor_id) as contributors,
        cast(sum(lines_added) as bigint) as lines_added,
        cast(sum(lines_deleted) as bigint) as lines_deleted,
        cast(sum(files_changed) as bigint) as files_changed,
        count(distinct activity_day) as active_days,
        min(activity_day) as first_day,
        max(activity_day) as last_day
    from days
    where {{ is_within('days.activity_day') }}
    group by repository_id
)

select
    counted.repository_id,
    repositories.repository_name,
    counted.commits,
    counted.merge_commits,
    counted.contributors,
    counted.lines_added,
    counted.lines_deleted,
    counted.files_changed,
    counted.active_days,
    counted.first_day,
    counted.last_day
from counted
inner join {{ ref('dim_repository') }} as repositories on counted.repository_id = repositories.repository_id
order by counted.commits desc, counted.repository_id asc
