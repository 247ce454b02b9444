-- Incremental by run, not by time: an extraction stamps every row it inserts or changes with its run number,
-- in the transaction that makes the row visible. The greatest number here is therefore never too high, and one
-- that is too low (the newest commits were removed again) only makes the build look at some rows twice.
{{
    config(
        materialized='incremental',
        incremental_strategy='delete+insert',
        unique_key=['repository_id', 'commit_hash'],
        on_schema_change='fail',
        indexes=[{'columns': ['repository_id', 'commit_day']}],
        pre_hook="{{ one_snapshot() }}",
        post_hook=["{{ delete_vanished_commits() }}", "{{ delete_purged_repositories() }}"],
    )
}}

with commits as (
    select * from {{ ref('stg_commits') }}
),

contributors as (
    select * from {{ ref('stg_contributors') }}
),

{% if is_incremental() %}
    watermarks as (
        select
            repository_id,
            max(changed_run) as changed_run
        from {{ this }}
        group by repository_id
    ),

    -- Who an author is may change without any commit changing.
    remapped as (
        select
            built.repository_id,
            built.commit_hash
        from {{ this }} as built
        inner join contributors on built.author_id = contributors.contributor_id
        where built.contributor_id <> contributors.person_id
    ),

    selected as (
        select commits.*
        from commits
        left join watermarks on commits.repository_id = watermarks.repository_id
        left join remapped
            on
                commits.repository_id = remapped.repository_id
                and commits.commit_hash = remapped.commit_hash
        where
            watermarks.repository_id is null
            or commits.changed_run > watermarks.changed_run
            or remapped.commit_hash is not null
    ),
{% else %}
    selected as (
        select * from commits
    ),
{% endif %}

-- Anyone may write any date into a commit. One that lies more than a day after its extraction is not believed.
checked as (
    select
        *,
        {{ more_than_a_day_after('commit_date', 'extracted_at') }} as is_future_dated,
        {{ more_than_a_day_after('committed_at', 'extracted_at') }} as is_committed_in_future
    from selected
),

dated as (
    select
        *,
        case
            when not is_future_dated then commit_date
            when not is_committed_in_future then committed_at
        end as activity_at
    from checked
)

select
    dated.repository_id,
    dated.commit_hash,
    coalesce(contributors.person_id, dated.author_id) as contributor_id,
    dated.author_id,
    dated.committer_id,
    dated.commit_date,
    dated.committed_at,
    dated.activity_at,
    {{ utc_day('dated.activity_at') }} as commit_day,
    dated.is_future_dated,
    dated.is_merge,
    dated.in_default_branch,
    dated.lines_added,
    dated.lines_deleted,
    dated.files_changed,
    dated.changed_run
from dated
left join contributors on dated.author_id = contributors.contributor_id
