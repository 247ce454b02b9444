-- After fct_commits, so that a repository that comes while a build runs is here before its commits are:
-- depends_on: {{ ref('fct_commits') }}
with repositories as (
    select * from {{ ref('stg_repositories') }}
)

select
    repository_id,
    repository_name,
    url,
    host,
    default_branch,
    state,
    last_processed_at,
    created_at
from repositories
