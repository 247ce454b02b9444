-- Incremental by run, not by time: an extraction stamps every row it inserts or changes with its run number,
-- in the transaction that makes the row visible. The greatest number here is therefore never too high, and one
-- that is too low (the newest commits were removed again) only makes the build look at some rows twice.
--
-- Only repositories are looked at of which something may be another one than this table has it (repositories_to_compare
-- in commits.sql): what it was built from is noted in its own transaction.
{{
    config(
        materialized='incremental',
        unique_key=['repository_id', 'commit_hash'],
        on_schema_change='fail',
        indexes=[
            {'columns': ['repository_id', 'commit_day']},
            {'columns': ['repository_id', 'committed_day']},
            {'columns': ['author_id', 'contributor_id']},
        ],
        pre_hook=[
            "{{ one_snapshot() }}",
            "{{ note_new_repositories() }}",
            "{{ note_changed_repositories() }}",
            "{{ note_repositories_with_other_firsts() }}",
        ],
        post_hook=[
            "{{ delete_vanished_commits() }}",
            "{{ delete_purged_repositories() }}",
            "{{ forget_purged_repositories() }}",
            "{{ note_compared_repositories() }}",
        ],
    )
}}

{% set measures = ['lines_added', 'lines_deleted', 'files_changed'] %}

with files as (
    select * from {{ ref('stg_commit_files') }}
),

contributors as (
    select * from {{ ref('stg_contributors') }}
),

{% if is_incremental() %}
    outdated_repositories as (
        {{ repositories_to_compare() }}
    ),

    changed as (
        select
            commits.repository_id,
            commits.commit_hash
        {{ looked_up('outdated_repositories', ref('stg_commits'), 'commits',
            'commits.repository_id = outdated_repositories.repository_id'
            ~ ' and commits.changed_run > outdated_repositories.changed_run') }}
    ),

    -- Without any change of the commit, its author may turn out to be another person, other classes of files may
    -- count, and another commit may be the first of its patch: when one comes, goes or enters the default branch.
    outdated as (
        select
            built.repository_id,
            built.commit_hash,
            built.patch_id,
            outdated_repositories.has_patch_ids
        {{ looked_up('outdated_repositories', this, 'built',
            'built.repository_id = outdated_repositories.repository_id') }}
        left join contributors on built.author_id = contributors.contributor_id
        where
            built.contributor_id <> contributors.person_id
            or (
                not outdated_repositories.has_patch_ids
                and not (built.is_first_of_patch and built.is_first_of_patch_anywhere)
            )
            {% for measure in measures %}
                or built.{{ measure }} <> {{ counted(measure, 'built') }}
            {% endfor %}
    ),

    {{ changes_in_question('outdated') }},

    firsts as (
        {{ firsts_of('changes_in_question') }}
    ),

    outdated_firsts as (
        select
            built.repository_id,
            built.commit_hash
        {{ commits_with_other_firsts() }}
    ),

    keys as (
        select * from changed
        {{ union_distinct() }}
        select
            repository_id,
            commit_hash
        from outdated
        {{ union_distinct() }}
        select * from outdated_firsts
    ),

    selected as (
        select commits.*
        {{ looked_up('keys', ref('stg_commits'), 'commits',
            'commits.repository_id = keys.repository_id and commits.commit_hash = keys.commit_hash') }}
    ),
{% else %}
    -- The commits are read where they are needed: as a step of their own they would all be copied.
    repositories_with_patch_ids as (
        select repository_id
        from {{ ref('stg_commits') }}
        where patch_id is not null
        group by repository_id
    ),

    changes as (
        select
            patched.repository_id,
            patched.commit_hash,
            coalesce(patched.patch_id, patched.commit_hash) as change_id,
            patched.commit_date,
            patched.in_default_branch
        from {{ ref('stg_commits') }} as patched
        where
            patched.repository_id in (
                select repositories.repository_id from repositories_with_patch_ids as repositories
            )
    ),

    firsts as (
        {{ firsts_of('changes') }}
    ),

    selected as (
        select * from {{ ref('stg_commits') }}
    ),
{% endif %}

classes as (
    select
        files.commit_id,
        files.file_class,
        sum(files.lines_added) as lines_added,
        sum(files.lines_deleted) as lines_deleted,
        count(*) as files_changed
    {% if is_incremental() %}
        {{ looked_up('selected', 'files', 'files', 'selected.commit_id = files.commit_id') }}
    {% else %}
        from files
    {% endif %}
    group by files.commit_id, files.file_class
),

by_class as (
    select
        {% for measure in measures %}
            {{ per_file_class("sum(case when file_class = 'CLASS' then " ~ measure ~ " end) as CLASS_" ~ measure) }},
        {% endfor %}
        commit_id
    from classes
    group by commit_id
),

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
        end as activity_at,
        case
            when not is_committed_in_future then committed_at
            when not is_future_dated then commit_date
        end as committing_at,
        case when not is_future_dated then author_offset_minutes end as believed_offset_minutes
    from checked
),

-- A commit without files, such as a merge, has no line in by_class.
summed as (
    select
        dated.*,
        {{ per_file_class("cast(coalesce(by_class.CLASS_lines_added, 0) as bigint) as CLASS_lines_added") }},
        {{ per_file_class("cast(coalesce(by_class.CLASS_lines_deleted, 0) as bigint) as CLASS_lines_deleted") }},
        {{ per_file_class("cast(coalesce(by_class.CLASS_files_changed, 0) as integer) as CLASS_files_changed") }},
        coalesce(firsts.is_first_of_patch, true) as is_first_of_patch,
        coalesce(firsts.is_first_of_patch_anywhere, true) as is_first_of_patch_anywhere,
        coalesce(contributors.person_id, dated.author_id) as contributor_id
    from dated
    left join firsts
        on
            dated.repository_id = firsts.repository_id
            and dated.commit_hash = firsts.commit_hash
    left join contributors on dated.author_id = contributors.contributor_id
    left join by_class on dated.commit_id = by_class.commit_id
)

select
    repository_id,
    commit_hash,
    commit_id,
    contributor_id,
    author_id,
    committer_id,
    commit_date,
    committed_at,
    activity_at,
    {{ utc_day('activity_at') }} as commit_day,
    {{ utc_day('committing_at') }} as committed_day,
    {{ local_weekday('commit_date', 'believed_offset_minutes') }} as author_local_weekday,
    {{ local_hour('commit_date', 'believed_offset_minutes') }} as author_local_hour,
    is_future_dated,
    is_merge,
    in_default_branch,
    {% for measure in measures %}
        {{ counted(measure, 'summed') }} as {{ measure }},
    {% endfor %}
    {% for measure in measures %}
        {{ measure }} as all_classes_{{ measure }},
    {% endfor %}
    {{ per_file_class("CLASS_lines_added, CLASS_lines_deleted, CLASS_files_changed") }},
    first_parent_lines_added,
    first_parent_lines_deleted,
    first_parent_files_changed,
    patch_id,
    is_first_of_patch,
    is_first_of_patch_anywhere,
    changed_run
from summed
