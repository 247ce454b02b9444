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
    commits.author_local_weekday,
    commits.author_local_hour,
    commits.is_merge,
    commits.lines_added,
    commits.lines_deleted,
    commits.files_changed,
    commits.in_default_branch,
    commits.is_first_of_patch,
    commits.is_first_of_patch_anywhere
from {{ ref('fct_commits') }} as commits
-- Left joins, here and in the other views: what nobody asks a dimension for is read without it.
left join {{ ref('dim_repository') }} as repositories on commits.repository_id = repositories.repository_id
left join {{ ref('dim_contributor') }} as people on commits.contributor_id = people.contributor_id
