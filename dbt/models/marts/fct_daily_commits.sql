-- Days can lose commits, and lose them to another day, so the days to replace are found by comparing what the
-- commits say with what stands here: nothing to remember, nothing to miss, and a build that was interrupted
-- heals in the next one. The comparison reads fct_commits once; only days that differ are written.
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['repository_id', 'commit_day'],
        on_schema_change='fail',
        post_hook="{% if is_incremental() %}{{ delete_vanished_days() }}{% endif %}",
    )
}}

{% set measures = ['commits', 'merge_commits', 'lines_added', 'lines_deleted', 'files_changed'] %}

with commits as (
    select * from {{ ref('fct_commits') }}
    where {{ is_counted() }}
),

days as (
    select
        repository_id,
        contributor_id,
        commit_day,
        cast(sum(case when in_default_branch then 1 else 0 end) as bigint) as commits,
        cast(sum(case when in_default_branch and is_merge then 1 else 0 end) as bigint) as merge_commits,
        cast(sum(case when in_default_branch then lines_added else 0 end) as bigint) as lines_added,
        cast(sum(case when in_default_branch then lines_deleted else 0 end) as bigint) as lines_deleted,
        cast(sum(case when in_default_branch then files_changed else 0 end) as bigint) as files_changed,
        cast(count(*) as bigint) as all_refs_commits,
        cast(sum(case when is_merge then 1 else 0 end) as bigint) as all_refs_merge_commits,
        cast(sum(lines_added) as bigint) as all_refs_lines_added,
        cast(sum(lines_deleted) as bigint) as all_refs_lines_deleted,
        cast(sum(files_changed) as bigint) as all_refs_files_changed
    from commits
    where commit_day is not null
    group by repository_id, contributor_id, commit_day
),

{% if is_incremental() %}
    changed_days as (
        select distinct
            coalesce(days.repository_id, built.repository_id) as repository_id,
            coalesce(days.commit_day, built.commit_day) as commit_day
        from days
        full outer join {{ this }} as built
            on
                days.repository_id = built.repository_id
                and days.contributor_id = built.contributor_id
                and days.commit_day = built.commit_day
        where
            days.repository_id is null
            or built.repository_id is null
            {% for measure in measures %}
                or days.{{ measure }} <> built.{{ measure }}
                or days.all_refs_{{ measure }} <> built.all_refs_{{ measure }}
            {% endfor %}
    ),

    selected as (
        select days.*
        from days
        inner join changed_days
            on
                days.repository_id = changed_days.repository_id
                and days.commit_day = changed_days.commit_day
    )
{% else %}
    selected as (
        select * from days
    )
{% endif %}

select * from selected
