-- The additive part of every metric, in rows that a reader may leave out: by kind of date, and by each flag of
-- a commit that a switch asks for. Days can lose commits, and lose them to another day, so the days to replace are
-- found by comparing what the commits say with what stands here: nothing to remember, nothing to miss, and a build
-- that was interrupted heals in the next one. The comparison reads fct_commits once; only days that differ are written.
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['repository_id', 'date_kind', 'activity_day'],
        on_schema_change='fail',
        post_hook=[
            "{% if is_incremental() %}{{ delete_vanished_days('authored', 'commit_day') }}{% endif %}",
            "{% if is_incremental() %}{{ delete_vanished_days('committed', 'committed_day') }}{% endif %}",
        ],
    )
}}

{% set keys = [
    'repository_id', 'contributor_id', 'date_kind', 'activity_day', 'in_default_branch', 'is_merge',
    'is_first_of_patch', 'is_first_of_patch_anywhere',
] %}
{% set measures = ['lines_added', 'lines_deleted', 'files_changed'] %}

with commits as (
    select * from {{ ref('fct_commits') }}
),

kinds as (
    select 'authored' as date_kind
    union all
    select 'committed' as date_kind
),

dated as (
    select
        commits.*,
        kinds.date_kind,
        case kinds.date_kind when 'authored' then commits.commit_day else commits.committed_day end as activity_day
    from commits
    cross join kinds
),

days as (
    select
        {{ keys | join(', ') }},
        cast(count(*) as bigint) as commits,
        {% for measure in measures %}
            {{ per_file_class("cast(sum(CLASS_" ~ measure ~ ") as bigint) as CLASS_" ~ measure) }}
            {%- if not loop.last %},{% endif %}
        {% endfor %}
    from dated
    where activity_day is not null
    group by {{ keys | join(', ') }}
),

{% if is_incremental() %}
    changed_days as (
        select distinct
            coalesce(days.repository_id, built.repository_id) as repository_id,
            coalesce(days.date_kind, built.date_kind) as date_kind,
            coalesce(days.activity_day, built.activity_day) as activity_day
        from days
        full outer join {{ this }} as built
            on
            {% for key in keys %}
                    {% if not loop.first %}and {% endif %}days.{{ key }} = built.{{ key }}
            {% endfor %}
        where
            days.repository_id is null
            or built.repository_id is null
            or days.commits <> built.commits
            {% for measure in measures %}
                or {{ per_file_class("days.CLASS_" ~ measure ~ " <> built.CLASS_" ~ measure) | replace(',', ' or') }}
            {% endfor %}
    ),

    selected as (
        select days.*
        from days
        inner join changed_days
            on
                days.repository_id = changed_days.repository_id
                and days.date_kind = changed_days.date_kind
                and days.activity_day = changed_days.activity_day
    )
{% else %}
    selected as (
        select * from days
    )
{% endif %}

select * from selected
