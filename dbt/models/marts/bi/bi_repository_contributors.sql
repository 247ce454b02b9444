select
    leaders.repository_id,
    repositories.repository_name,
    repositories.url as repository_url,
    leaders.contributor_id,
    leaders.contributor_name,
    leaders.contributor_kind,
    {{ organization('people.email') }} as organization,
    leaders.commit_rank,
    leaders.commits,
    leaders.commit_share,
    leaders.merge_commits,
    leaders.lines_added,
    leaders.lines_deleted,
    leaders.active_days,
    leaders.first_commit_at,
    leaders.last_commit_at,
    leaders.commits_last_30_days,
    leaders.commits_last_90_days
from {{ ref('fct_repository_contributors') }} as leaders
left join {{ ref('dim_repository') }} as repositories on leaders.repository_id = repositories.repository_id
left join {{ ref('dim_contributor') }} as people on leaders.contributor_id = people.contributor_id
where leaders.commits > 0
