{{ config(pre_hook="{{ drop_other_version() }}") }}

with days as (
    {{ chosen_days() }}
),

counted as (
    select
        {{ organization('people.email') }} as organization,
        count(distinct days.contributor_id) as contributors,
        cast(sum(days.commits) as bigint) as commits,
        cast(sum(days.lines_added) as bigint) as lines_added,
        cast(sum(days.lines_deleted) as bigint) as lines_deleted
    from days
    inner join {{ ref('dim_contributor') }} as people on days.contributor_id = people.contributor_id
    where {{ is_within('days.activity_day') }}
    group by {{ organization('people.email') }}
)

select
    counted.organization,
    counted.contributors,
    {{ calculate_share('counted.contributors', 'sum(counted.contributors) over ()') }} as contributor_share,
    counted.commits,
    {{ calculate_share('counted.commits', 'sum(counted.commits) over ()') }} as commit_share,
    counted.lines_added,
    counted.lines_deleted
from counted
order by counted.commits desc, counted.organization asc
