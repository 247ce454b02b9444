{{
    config(
        materialized='incremental',
        on_schema_change='fail',
        pre_hook="{{ delete_outdated_repositories() }}",
        post_hook=["{{ forget_built_repositories() }}", "{{ remember_built_repositories() }}"],
    )
}}

{% set granularities = ['day', 'week', 'month'] %}
{% set measures = ['commits', 'merge_commits', 'lines_added', 'lines_deleted', 'files_changed', 'all_refs_commits'] %}

with days as (
    select * from {{ ref('fct_daily_commits') }}
    {{ where_outdated() }}
),

-- The day of a person's first commit in the default branch of a repository.
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
    people_by_{{ granularity }} as (
        select
            repository_id,
            {{ first_day_of(granularity, 'commit_day') }} as period_start,
            {% for measure in measures %}
                cast(sum({{ measure }}) as bigint) as {{ measure }},
            {% endfor %}
            contributor_id
        from days
        group by repository_id, {{ first_day_of(granularity, 'commit_day') }}, contributor_id
    ),

    newcomers_by_{{ granularity }} as (
        select
            repository_id,
            {{ first_day_of(granularity, 'first_day') }} as period_start,
            cast(count(*) as bigint) as new_contributors
        from first_days
        group by repository_id, {{ first_day_of(granularity, 'first_day') }}
    ),

    totals_by_{{ granularity }} as (
        select
            repository_id,
            period_start,
            {% for measure in measures %}
                cast(sum({{ measure }}) as bigint) as {{ measure }},
            {% endfor %}
            cast(sum(case when commits > 0 then 1 else 0 end) as bigint) as contributors,
            cast(count(*) as bigint) as all_refs_contributors
        from people_by_{{ granularity }}
        group by repository_id, period_start
    ),

    by_{{ granularity }} as (
        select
            totals.*,
            '{{ granularity }}' as granularity,
            coalesce(newcomers.new_contributors, 0) as new_contributors,
            totals.contributors - coalesce(newcomers.new_contributors, 0) as returning_contributors
        from totals_by_{{ granularity }} as totals
        left join newcomers_by_{{ granularity }} as newcomers
            on
                totals.repository_id = newcomers.repository_id
                and totals.period_start = newcomers.period_start
    ),
{% endfor %}

periods as (
    {% for granularity in granularities %}
        select * from by_{{ granularity }}
        {% if not loop.last %} union all {% endif %}
    {% endfor %}
)

select
    repository_id,
    granularity,
    period_start,
    commits,
    merge_commits,
    lines_added,
    lines_deleted,
    files_changed,
    contributors,
    new_contributors,
    returning_contributors,
    all_refs_commits,
    all_refs_contributors
from periods
