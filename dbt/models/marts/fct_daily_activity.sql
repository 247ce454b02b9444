-- The additive part of every metric, in rows that a reader may leave out: by kind of date, and by each flag of
-- a commit that a switch asks for.
--
-- Days can lose commits, and lose them to another day, so the days to replace are found by comparing what the commits
-- say with what stands here: nothing to remember, nothing to miss, and a build that was interrupted heals in the next
-- one. All of a row is compared: two commits of a day may swap a flag without a later run (which of them is the first
-- of its patch), and the rows have as many commits as before. Only days that differ are written, and only the
-- repositories of which anything has changed are compared.
{{
    config(
        materialized='incremental',
        unique_key=['repository_id', 'date_kind', 'activity_day'],
        on_schema_change='fail',
        post_hook=[
            "{% if is_incremental() %}{{ delete_vanished_days('authored', 'commit_day') }}{% endif %}",
            "{% if is_incremental() %}{{ delete_vanished_days('committed', 'committed_day') }}{% endif %}",
            "{{ forget_built_repositories() }}",
            "{{ remember_built_repositories() }}",
        ],
    )
}}

{% set kinds = {'authored': 'commit_day', 'committed': 'committed_day'} %}
{% set flags = ['in_default_branch', 'is_merge', 'is_first_of_patch', 'is_first_of_patch_anywhere'] %}
{% set keys = ['repository_id', 'contributor_id', 'date_kind', 'activity_day'] + flags %}
{% set measures = ['lines_added', 'lines_deleted', 'files_changed'] %}

with
-- The commits are read where they are needed: as a step of their own they would all be copied.
{% if is_incremental() %}
    built as (
        select * from {{ this }}
        {{ where_outdated() }}
    ),

    counted as (
        {% for kind, day in kinds.items() %}
            select
                repository_id,
                contributor_id,
                '{{ kind }}' as date_kind,
                {{ day }} as activity_day,
                {{ flags | join(', ') }},
                count(*) as commits,
                {% for measure in measures %}
                    {{ per_file_class("sum(CLASS_" ~ measure ~ ") as CLASS_" ~ measure) }},
                {% endfor %}
                max(changed_run) as changed_run
            from {{ ref('fct_commits') }}
            where
                {{ day }} is not null
                and repository_id in ({{ outdated_repositories() }})
            group by repository_id, contributor_id, {{ day }}, {{ flags | join(', ') }}
            {% if not loop.last %} union all {% endif %}
        {% endfor %}
    ),

    changed_days as (
        select distinct
            coalesce(counted.repository_id, built.repository_id) as repository_id,
            coalesce(counted.date_kind, built.date_kind) as date_kind,
            coalesce(counted.activity_day, built.activity_day) as activity_day
        from counted
        full outer join built
            on
            {% for key in keys %}
                    {% if not loop.first %}and {% endif %}counted.{{ key }} = built.{{ key }}
            {% endfor %}
        where
            counted.repository_id is null
            or built.repository_id is null
            or counted.commits <> built.commits
            {% for measure in measures %}
                or {{ per_file_class("counted.CLASS_" ~ measure ~ " <> built.CLASS_" ~ measure) | replace(',', ' or') }}
            {% endfor %}
            or counted.changed_run <> built.changed_run
    ),
{% endif %}

authored as (
    {{ commits_of_days('authored', kinds['authored'], is_incremental()) }}
),

committed as (
    {{ commits_of_days('committed', kinds['committed'], is_incremental()) }}
),

dated as (
    select * from authored
    union all
    select * from committed
)

select
    {{ keys | join(', ') }},
    cast(count(*) as bigint) as commits,
    {% for measure in measures %}
        {{ per_file_class("cast(sum(CLASS_" ~ measure ~ ") as bigint) as CLASS_" ~ measure) }},
    {% endfor %}
    max(changed_run) as changed_run
from dated
group by {{ keys | join(', ') }}
