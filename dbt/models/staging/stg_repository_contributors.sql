with repository_contributors as (
    select * from {{ source('raw', 'repository_contributors') }}
)

select
    repository_id,
    contributor_id as author_id,
    commit_count,
    first_commit_date,
    last_commit_date
from repository_contributors
