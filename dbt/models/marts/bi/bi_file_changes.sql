select
    commits.repository_id,
    repositories.repository_name,
    repositories.url as repository_url,
    commits.commit_hash,
    commits.contributor_id,
    people.contributor_name,
    people.contributor_kind,
    {{ organization('people.email') }} as organization,
    commits.activity_at,
    commits.commit_day,
    files.path,
    {{ top_directory('files.path') }} as top_directory,
    files.old_path,
    files.change_type,
    files.file_class,
    files.lines_added,
    files.lines_deleted
from {{ ref('fct_commits') }} as commits
inner join {{ ref('fct_file_changes') }} as files
    on
        commits.repository_id = files.repository_id
        and commits.commit_id = files.commit_id
left join {{ ref('dim_repository') }} as repositories on commits.repository_id = repositories.repository_id
left join {{ ref('dim_contributor') }} as people on commits.contributor_id = people.contributor_id
where
    commits.in_default_branch
    and {{ is_counted() }}
    and files.file_class in ('{{ counted_file_classes() | join("', '") }}')
