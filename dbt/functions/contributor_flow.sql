{{ config(pre_hook="{{ drop_other_version() }}") }}

with days as (
    {{ chosen_days() }}
),

active as (
    select distinct
        {{ period_of('days.activity_day') }} as period_start,
        days.contributor_id
    from days
),

firsts as (
    select
        contributor_id,
        min(period_start) as period_start
    from active
    group by contributor_id
),

-- Periods in which nobody was active have a row: all of the one before are lost in them.
periods as (
    select
        cast(each_period as date) as period_start,
        cast(each_period - {{ length_of_period() }} as date) as period_before
    from generate_series(
        (select min(active.period_start) from active),
        (select max(active.period_start) from active),
        {{ length_of_period() }}
    ) as each_period
),

present as (
    select
        periods.period_start,
        count(active.contributor_id) as contributors,
        count(firsts.contributor_id) as new_contributors,
        count(before.contributor_id) as retained_contributors
    from periods
    left join active on periods.period_start = active.period_start
    left join firsts on active.contributor_id = firsts.contributor_id and active.period_start = firsts.period_start
    left join active as before
        on active.contributor_id = before.contributor_id and periods.period_before = before.period_start
    group by periods.period_start
),

flow as (
    select
        present.*,
        coalesce(lag(present.contributors) over (order by present.period_start), 0) as contributors_before
    from present
)

select
    flow.period_start,
    flow.contributors,
    flow.new_contributors,
    flow.retained_contributors,
    flow.contributors - flow.new_contributors - flow.retained_contributors as resurrected_contributors,
    flow.contributors_before - flow.retained_contributors as churned_contributors,
    {{ calculate_share('flow.retained_contributors', 'flow.contributors_before') }} as retention
from flow
where {{ is_within('flow.period_start') }}
order by flow.period_start
