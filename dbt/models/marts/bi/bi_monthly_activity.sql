select
    months.repository_id,
    repositories.repository_name,
    repositories.url as repository_url,
    months.period_start as month_start,
    months.commits,
    months.merge_commits,
    months.lines_added,
    months.lines_deleted,
    months.files_changed,
    months.contributors,
    months.new_contributors,
    months.returning_contributors,
    months.commits_to_date,
    months.contributors_to_date
from {{ ref('fct_repository_activity') }} as months
left join {{ ref('dim_repository') }} as repositories on months.repository_id = repositories.repository_id
where months.granularity = 'month' and months.commits > 0
