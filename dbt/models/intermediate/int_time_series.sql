{% set granularities = ['day', 'week', 'month'] %}

with days as (
    select * from {{ ref('fct_daily_commits') }}
),

-- The day of a contributor's first commit in the default branch of a repository.
first_days as (
    select
        repository_id,
        contributor_id,
        min(commit_day) as first_day
    from days
    where commits > 0
    group by repository_id, contributor_id
),

{% for granularity in granularities %}
    contributors_by_{{ granularity }} as (
        select
            days.repository_id,
            days.contributor_id,
            {{ first_day_of(granularity, 'days.commit_day') }} as period_start,
            {{ first_day_of(granularity, 'first_days.first_day') }} as first_period_start,
            sum(days.commits) as commits,
            sum(days.merges) as merges,
            sum(days.lines_added) as lines_added,
            sum(days.lines_deleted) as lines_deleted,
            sum(days.files_changed) as files_changed,
            sum(days.all_refs_commits) as all_refs_commits
        from days
        left join first_days
            on
                days.repository_id = first_days.repository_id
                and days.contributor_id = first_days.contributor_id
        group by 1, 2, 3, 4
    ),
{% endfor %}

all_granularities as (
    {% for granularity in granularities %}
        select
            '{{ granularity }}' as granularity,
            contributors_by_{{ granularity }}.*
        from contributors_by_{{ granularity }}
        {% if not loop.last %} union all {% endif %}
    {% endfor %}
)

select
    repository_id,
    granularity,
    period_start,
    cast(sum(commits) as bigint) as commits,
    cast(sum(merges) as bigint) as merges,
    cast(sum(lines_added) as bigint) as lines_added,
    cast(sum(lines_deleted) as bigint) as lines_deleted,
    cast(sum(files_changed) as bigint) as files_changed,
    cast(sum(case when commits > 0 then 1 else 0 end) as bigint) as contributors,
    cast(sum(case when commits > 0 and first_period_start = period_start then 1 else 0 end) as bigint)
        as new_contributors,
    cast(sum(case when commits > 0 and first_period_start < period_start then 1 else 0 end) as bigint)
        as returning_contributors,
    cast(sum(all_refs_commits) as bigint) as all_refs_commits,
    cast(count(*) as bigint) as all_refs_contributors
from all_granularities
group by repository_id, granularity, period_start
