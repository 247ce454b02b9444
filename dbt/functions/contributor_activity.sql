{{ config(pre_hook="{{ drop_other_version() }}") }}

with days as (
    {{ chosen_days() }}
),

counted as (
    select
        contributor_id,
        cast(sum(commits) as bigint) as commits,
        cast(sum(case when is_merge then commits else 0 end) as bigint) as merge_commits,
        cast(sum(lines_added) as bigint) as lines_added,
        cast(sum(lines_deleted) as bigint) as lines_deleted,
        cast(sum(files_changed) as bigint) as files_changed,
        count(distinct activity_day) as active_days,
        min(activity_day) as first_day,
        max(activity_day) as last_day
    from days
    where {{ is_within('days.activity_day') }}
    group by contributor_id
)

select
    counted.contributor_id,
    people.contributor_name,
    people.contributor_kind,
    counted.commits,
    counted.merge_commits,
    counted.lines_added,
    counted.lines_deleted,
    counted.files_changed,
    counted.active_days,
    counted.first_day,
    counted.last_day
from counted
inner join {{ ref('dim_contributor') }} as people on counted.contributor_id = people.contributor_id
order by counted.commits desc, counted.contributor_id asc
