-- Marts that tell the same thing in two ways agree. One row per disagreement.
{{ config(severity='error', store_failures=true) }}

with days as (
    select
        repository_id,
        sum(commits) as commits,
        sum(all_refs_commits) as all_refs_commits
    from {{ ref('fct_daily_commits') }}
    group by repository_id
),

activity as (
    select
        repository_id,
        granularity,
        sum(commits) as commits,
        sum(all_refs_commits) as all_refs_commits,
        sum(new_contributors) as new_contributors,
        max(contributors_to_date) as contributors_to_date
    from {{ ref('fct_repository_activity') }}
    group by repository_id, granularity
),

shares as (
    select
        repository_id,
        sum(commits) as commits,
        sum(case when commits > 0 then 1 else 0 end) as contributors,
        sum(commit_share) as commit_share,
        count(*) as members
    from {{ ref('fct_repository_contributors') }}
    group by repository_id
),

repositories as (
    select * from {{ ref('repository_summary') }}
),

people as (
    select
        sum(commits) as commits,
        sum(all_refs_commits) as all_refs_commits
    from {{ ref('contributor_summary') }}
)

select
    'a series and the days add up to different totals' as rule,
    days.repository_id,
    activity.granularity
from days
left join activity on days.repository_id = activity.repository_id
where
    activity.repository_id is null
    or activity.commits <> days.commits
    or activity.all_refs_commits <> days.all_refs_commits

union all

select
    'every contributor is new once',
    repository_id,
    granularity
from activity
where new_contributors <> contributors_to_date

union all

select
    'the contributors of a repository add up to its summary',
    repositories.repository_id,
    null
from repositories
left join shares on repositories.repository_id = shares.repository_id
where
    coalesce(shares.commits, 0) <> repositories.commits
    or coalesce(shares.contributors, 0) <> repositories.contributors
    -- Each share is rounded to six places.
    or abs(coalesce(shares.commit_share, 1) - 1) > 0.000001 * shares.members

union all

select
    'half of the commits need at most all contributors',
    repository_id,
    null
from repositories
where
    absence_factor > contributors
    or (absence_factor is null) <> (commits = 0)
    or (gini_coefficient is null) <> (commits = 0)

union all

select
    'a summary does not begin after its end or count more days than commits',
    repository_id,
    null
from repositories
where
    first_commit_at > last_commit_at
    or active_days > commits
    or commits_last_30_days > commits_last_90_days
    or commits_last_90_days > commits
    or commits > all_refs_commits
    or contributors > all_refs_contributors

union all

select
    'people and repositories add up to different totals',
    null,
    null
from people
where
    people.commits <> (select sum(repositories.commits) from repositories)
    or people.all_refs_commits <> (select sum(repositories.all_refs_commits) from repositories)
