{{ config(pre_hook="{{ drop_other_version() }}") }}

-- Not materialized: what is not asked for, files or directories, is not computed then.
with changes as not materialized (
    {{ chosen_file_changes() }}
),

placed as not materialized (
    select
        changes.*,
        {{ directory_of('changes.path') }} as place,
        -- Beyond 1000 half-lives nothing is left, and PostgreSQL would refuse so small a power.
        (changes.lines_added + changes.lines_deleted) * power(
            0.5,
            least(
                1000,
                cast(
                    case
                        when changes.activity_day is not null
                            then greatest(
                                coalesce(until, cast(now() at time zone 'UTC' as date)) - changes.activity_day, 0
                            )
                    end as double precision
                ) / case
                    when {{ given('half_life_days') }} > 0 then {{ given('half_life_days') }}
                    else cast(cast({{ refuse('half_life_days', ['numbers above 0']) }} as text) as integer)
                end
            )
        ) as recent_churn
    from changes
),

-- A commit changes a file once, but many of a directory.
commits_of_directories as (
    select
        placed.repository_id,
        placed.place,
        min(placed.contributor_id) as contributor_id,
        min(placed.activity_day) as activity_day,
        cast(sum(placed.lines_added) as bigint) as lines_added,
        cast(sum(placed.lines_deleted) as bigint) as lines_deleted,
        sum(placed.recent_churn) as recent_churn
    from placed
    where depth is not null
    group by placed.repository_id, placed.place, placed.commit_id
),

-- Sums by contributor, to count these: for distinct ones PostgreSQL would sort everything.
by_contributor as (
    select
        placed.repository_id,
        placed.place,
        placed.contributor_id,
        max(placed.file_class) as file_class,
        count(*) as commits,
        cast(sum(placed.lines_added) as bigint) as lines_added,
        cast(sum(placed.lines_deleted) as bigint) as lines_deleted,
        min(placed.activity_day) as first_day,
        max(placed.activity_day) as last_day,
        sum(placed.recent_churn) as recent_churn
    from placed
    where depth is null
    group by placed.repository_id, placed.place, placed.contributor_id
    union all
    select
        commits.repository_id,
        commits.place,
        commits.contributor_id,
        null as file_class,
        count(*) as commits,
        cast(sum(commits.lines_added) as bigint) as lines_added,
        cast(sum(commits.lines_deleted) as bigint) as lines_deleted,
        min(commits.activity_day) as first_day,
        max(commits.activity_day) as last_day,
        sum(commits.recent_churn) as recent_churn
    from commits_of_directories as commits
    group by commits.repository_id, commits.place, commits.contributor_id
)

select
    by_contributor.repository_id,
    by_contributor.place as path,
    max(by_contributor.file_class) as file_class,
    cast(sum(by_contributor.commits) as bigint) as commits,
    cast(sum(by_contributor.lines_added) as bigint) as lines_added,
    cast(sum(by_contributor.lines_deleted) as bigint) as lines_deleted,
    count(*) as contributors,
    min(by_contributor.first_day) as first_day,
    max(by_contributor.last_day) as last_day,
    cast(coalesce(sum(by_contributor.recent_churn), 0) as numeric(20, 3)) as recent_churn
from by_contributor
group by by_contributor.repository_id, by_contributor.place
order by sum(by_contributor.commits) desc, by_contributor.repository_id asc, by_contributor.place asc
