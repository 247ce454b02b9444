{{ config(pre_hook="{{ drop_other_version() }}") }}

with commits as (
    {{ chosen_commits() }}
),

gaps as (
    select extract(epoch from commits.activity_at - lag(commits.activity_at) over (order by commits.activity_at)) as gap
    from commits
),

of_gaps as (
    select
        avg(gaps.gap) as mean,
        stddev_pop(gaps.gap) as deviation
    from gaps
),

weeks as (
    select
        {{ first_day_of('week', 'commits.commit_day') }} as week_start,
        count(*) as commits
    from commits
    group by {{ first_day_of('week', 'commits.commit_day') }}
),

-- Weeks without a commit count, too.
starts as (
    select cast(each_start as date) as week_start
    from generate_series(
        (select min(weeks.week_start) from weeks),
        (select max(weeks.week_start) from weeks),
        interval '7 days'
    ) as each_start
),

all_weeks as (
    select coalesce(weeks.commits, 0) as commits
    from starts
    left join weeks on starts.week_start = weeks.week_start
),

of_weeks as (
    select
        count(*) as weeks,
        cast(coalesce(sum(all_weeks.commits), 0) as bigint) as commits,
        avg(all_weeks.commits) as mean,
        var_pop(all_weeks.commits) as variance
    from all_weeks
)

select
    of_weeks.commits,
    cast((of_gaps.deviation - of_gaps.mean) / nullif(of_gaps.deviation + of_gaps.mean, 0) as numeric(7, 6))
        as burstiness,
    of_weeks.weeks,
    cast(of_weeks.mean as numeric(20, 6)) as commits_per_week,
    cast(of_weeks.variance / nullif(of_weeks.mean, 0) as numeric(20, 6)) as fano_factor
from of_gaps
cross join of_weeks
