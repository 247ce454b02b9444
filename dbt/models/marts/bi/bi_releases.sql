select
    releases.repository_id,
    repositories.repository_name,
    repositories.url as repository_url,
    releases.tag_name,
    releases.release_type,
    releases.commit_hash,
    releases.in_default_branch,
    releases.released_on,
    releases.days_since_previous
from {{ ref('fct_releases') }} as releases
left join {{ ref('dim_repository') }} as repositories on releases.repository_id = repositories.repository_id
