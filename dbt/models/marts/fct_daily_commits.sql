-- What fct_daily_activity holds, as the project's variables and the usual switches have it: author dates, the classes
-- of files and the copies of a change that count, and the default branch beside all refs.
{{
    config(
        materialized='incremental',
        on_schema_change='fail',
        indexes=[{'columns': ['commit_day']}],
        pre_hook="{{ delete_outdated_repositories() }}",
        post_hook=["{{ forget_built_repositories() }}", "{{ remember_built_repositories() }}"],
    )
}}

{% set measures = ['lines_added', 'lines_deleted', 'files_changed'] %}

with activity as (
    select * from {{ ref('fct_daily_activity') }}
    where
        date_kind = 'authored'
        and {{ is_counted() }}
        {% if is_incremental() %}
            and repository_id in ({{ outdated_repositories() }})
        {% endif %}
)

select
    repository_id,
    contributor_id,
    activity_day as commit_day,
    cast(sum(case when in_default_branch then commits else 0 end) as bigint) as commits,
    cast(sum(case when in_default_branch and is_merge then commits else 0 end) as bigint) as merge_commits,
    {% for measure in measures %}
        cast(
            sum(case when in_default_branch then {{ counted(measure, 'activity') }} else 0 end) as bigint
        ) as {{ measure }},
    {% endfor %}
    cast(sum(commits) as bigint) as all_refs_commits,
    cast(sum(case when is_merge then commits else 0 end) as bigint) as all_refs_merge_commits,
    {% for measure in measures %}
        cast(sum({{ counted(measure, 'activity') }}) as bigint) as all_refs_{{ measure }}
        {%- if not loop.last %},{% endif %}
    {% endfor %}
from activity
group by repository_id, contributor_id, activity_day
