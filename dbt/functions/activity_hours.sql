{{ config(pre_hook="{{ drop_other_version() }}") }}

with commits as (
    {{ chosen_commits() }}
),

clocks as (
    select
        case {{ given('clock') }}
            when 'author' then commits.author_local_weekday
            when 'utc' then {{ local_weekday('commits.activity_at', '0') }}
            else cast(cast({{ refuse('clock', ['author', 'utc']) }} as text) as smallint)
        end as weekday,
        case {{ given('clock') }}
            when 'author' then commits.author_local_hour
            when 'utc' then {{ local_hour('commits.activity_at', '0') }}
        end as hour_of_day
    from commits
)

select
    clocks.weekday,
    clocks.hour_of_day,
    count(*) as commits,
    clocks.weekday > 5
    or clocks.hour_of_day < {{ given('from_hour') }}
    or clocks.hour_of_day >= {{ given('to_hour') }} as is_outside_work_hours
from clocks
where clocks.weekday is not null
group by clocks.weekday, clocks.hour_of_day
order by clocks.weekday, clocks.hour_of_day
