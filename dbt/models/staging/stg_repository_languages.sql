with languages as (
    select * from {{ source('raw', 'repository_languages') }}
)

select
    snapshot_id,
    repository_id,
    language,
    size_bytes,
    share
from languages
