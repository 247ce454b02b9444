with repositories as (
    select * from {{ source('raw', 'repositories') }}
)

select
    id as repository_id,
    url,
    host,
    name as repository_name,
    default_branch,
    state,
    last_processed_at,
    created_at
from repositories
