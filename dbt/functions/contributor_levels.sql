{{ config(pre_hook="{{ drop_other_version() }}") }}

with days as (
    {{ chosen_days() }}
),

counted as (
    select
        days.contributor_id,
        sum(days.commits) as commits
    from days
    where {{ is_within('days.activity_day') }}
    group by days.contributor_id
),

steps as (
    select
        each_step.level,
        each_step.at_least
    from unnest({{ given('levels') }}) with ordinality as each_step (at_least, level)
),

reached as (
    select
        steps.level,
        steps.at_least,
        count(counted.contributor_id) as contributors
    from steps
    left join counted on steps.at_least <= counted.commits
    group by steps.level, steps.at_least
)

select
    cast(reached.level as integer) as level,
    reached.at_least as at_least_commits,
    reached.contributors,
    {{ calculate_share('reached.contributors', 'lag(reached.contributors) over (order by reached.level)') }}
        as conversion_rate
from reached
order by reached.level
