-- Whatever an extraction has recorded, also of commits that are not there yet: dim_identity leaves those out.
with contributors as (
    select * from {{ source('raw', 'contributors') }}
)

select
    id as identity_id,
    coalesce(canonical_id, id) as person_id,
    name as identity_name,
    email,
    kind as identity_kind
from contributors
