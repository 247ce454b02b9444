-- The files of a commit stay as they are while its run number does, so the commits that are looked up are those with
-- another number than they have here: of fct_commits alone, and in the state it has them. One that an extraction has
-- changed since then keeps the files it has here and is left to the next build, as fct_commits leaves it.
{{
    config(
        materialized='incremental',
        unique_key=['repository_id', 'commit_id'],
        on_schema_change='fail',
        post_hook=[
            "{% if is_incremental() %}{{ delete_vanished_file_changes() }}{% endif %}",
            "{{ forget_built_repositories() }}",
            "{{ remember_built_repositories() }}",
        ],
    )
}}

with commits as (
    select * from {{ ref('fct_commits') }}
    {{ where_outdated() }}
),

files as (
    select * from {{ ref('stg_commit_files') }}
),

{% if is_incremental() %}
    built as (
        select
            repository_id,
            commit_id,
            max(changed_run) as changed_run
        from {{ this }}
        {{ where_outdated() }}
        group by repository_id, commit_id
    ),

    changed as (
        select commits.*
        from commits
        left join built
            on
                commits.repository_id = built.repository_id
                and commits.commit_id = built.commit_id
        where
            built.commit_id is null
            or commits.changed_run <> built.changed_run
    ),
{% else %}
    changed as (
        select * from commits
    ),
{% endif %}

selected as (
    select
        changed.repository_id,
        changed.commit_id,
        changed.changed_run
    {% set same = 'changed.commit_id = present.commit_id and changed.changed_run = present.changed_run' %}
    {% if is_incremental() %}
        {{ looked_up('changed', ref('stg_commits'), 'present', same) }}
    {% else %}
        from changed
        inner join {{ ref('stg_commits') }} as present on {{ same }}
    {% endif %}
    where changed.all_classes_files_changed > 0
)

select
    selected.repository_id,
    selected.commit_id,
    files.file_number,
    files.path,
    files.old_path,
    files.change_type,
    files.file_class,
    files.lines_added,
    files.lines_deleted,
    selected.changed_run
{% if is_incremental() %}
    {{ looked_up('selected', 'files', 'files', 'selected.commit_id = files.commit_id') }}
{% else %}
    from selected
    inner join files on selected.commit_id = files.commit_id
{% endif %}
