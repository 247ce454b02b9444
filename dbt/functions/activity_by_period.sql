{{ config(pre_hook="{{ drop_other_version() }}") }}

with days as (
    {{ chosen_days() }}
),

-- Whether somebody is new is asked of the whole history, not of the days between since and until.
first_days as (
    select
        contributor_id,
        min(activity_day) as first_day
    from days
    group by contributor_id
),

people as (
    select
        {{ period_of('days.activity_day') }} as period_start,
        days.contributor_id,
        {{ period_of('min(first_days.first_day)') }} as first_period,
        sum(days.commits) as commits,
        sum(case when days.is_merge then days.commits else 0 end) as merge_commits,
        sum(days.lines_added) as lines_added,
        sum(days.lines_deleted) as lines_deleted,
        sum(days.files_changed) as files_changed
    from days
    inner join first_days on days.contributor_id = first_days.contributor_id
    where {{ is_within('days.activity_day') }}
    group by {{ period_of('days.activity_day') }}, days.contributor_id
),

active_days as (
    select
        {{ period_of('days.activity_day') }} as period_start,
        count(distinct days.activity_day) as active_days
    from days
    where {{ is_within('days.activity_day') }}
    group by {{ period_of('days.activity_day') }}
)

select
    people.period_start,
    cast(sum(people.commits) as bigint) as commits,
    cast(sum(people.merge_commits) as bigint) as merge_commits,
    cast(sum(people.lines_added) as bigint) as lines_added,
    cast(sum(people.lines_deleted) as bigint) as lines_deleted,
    cast(sum(people.files_changed) as bigint) as files_changed,
    min(active_days.active_days) as active_days,
    count(*) as contributors,
    count(*) filter (where people.first_period = people.period_start) as new_contributors,
    count(*) filter (where people.first_period < people.period_start) as returning_contributors
from people
inner join active_days on people.period_start = active_days.period_start
group by people.period_start
order by people.period_start
