{{ config(pre_hook="{{ drop_other_version() }}") }}

with days as (
    {{ chosen_days() }}
),

moment as (
    select coalesce(until, cast(now() at time zone 'UTC' as date)) as today
),

daily as (
    select
        days.contributor_id,
        days.activity_day,
        sum(days.commits) as commits,
        days.activity_day - lag(days.activity_day) over (
            partition by days.contributor_id order by days.activity_day
        ) as days_before
    from days
    where {{ is_within('days.activity_day') }}
    group by days.contributor_id, days.activity_day
),

counted as (
    select
        daily.contributor_id,
        cast(sum(daily.commits) as bigint) as commits,
        count(*) as active_days,
        count(*) filter (
            where daily.activity_day > moment.today - {{ given('window_days') }}
        ) as active_days_in_window,
        min(daily.activity_day) as first_day,
        max(daily.activity_day) as last_day,
        max(daily.days_before) as longest_gap_days,
        min(moment.today) as today
    from daily
    cross join moment
    group by daily.contributor_id
)

select
    counted.contributor_id,
    people.contributor_name,
    people.contributor_kind,
    counted.commits,
    counted.active_days,
    counted.active_days_in_window,
    counted.first_day,
    counted.last_day,
    counted.today - counted.last_day as days_since_last,
    counted.longest_gap_days,
    case
        when counted.today - counted.last_day > {{ given('away_days') }} then 'away'
        when counted.today - counted.last_day > {{ given('drifting_days') }} then 'drifting'
        else 'active'
    end as engagement,
    case
        when counted.active_days_in_window >= {{ given('full_time_days') }} then 'full_time'
        when counted.active_days_in_window > 0 then 'part_time'
        else 'none'
    end as workload,
    counted.commits < {{ given('occasional_commits') }}
    or coalesce(counted.longest_gap_days > {{ given('occasional_gap_days') }}, false) as is_occasional
from counted
inner join {{ ref('dim_contributor') }} as people on counted.contributor_id = people.contributor_id
order by counted.commits desc, counted.contributor_id asc
