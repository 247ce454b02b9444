with refs as (
    select * from {{ source('raw', 'refs') }}
)

select
    id as ref_id,
    repository_id,
    kind as ref_kind,
    substr(name, case when kind = 'tag' then 11 else 12 end) as ref_name,
    commit_hash
from refs
