select
    summary.contributor_id,
    summary.contributor_name,
    summary.contributor_kind,
    {{ organization('summary.email') }} as organization,
    people.profile_url,
    summary.commit_rank,
    summary.repositories,
    summary.commits,
    summary.merge_commits,
    summary.co_authored_commits,
    summary.assisted_commits,
    summary.lines_added,
    summary.lines_deleted,
    summary.active_days,
    summary.first_commit_at,
    summary.last_commit_at,
    summary.commits_last_30_days,
    summary.commits_last_90_days,
    summary.summarized_on
from {{ ref('contributor_summary') }} as summary
left join {{ ref('dim_contributor') }} as people on summary.contributor_id = people.contributor_id
where summary.commits > 0
