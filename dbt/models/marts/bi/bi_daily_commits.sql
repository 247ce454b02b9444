select
    days.repository_id,
    repositories.repository_name,
    repositories.url as repository_url,
    days.contributor_id,
    people.contributor_name,
    people.contributor_kind,
    {{ organization('people.email') }} as organization,
    days.commit_day,
    days.commits,
    days.merge_commits,
    days.lines_added,
    days.lines_deleted,
    days.files_changed
from {{ ref('fct_daily_commits') }} as days
left join {{ ref('dim_repository') }} as repositories on days.repository_id = repositories.repository_id
left join {{ ref('dim_contributor') }} as people on days.contributor_id = people.contributor_id
where days.commits > 0
