-- An extraction inserts authors before their commits, in a transaction of its own. Until the commits are
-- there nobody shall see them. Whoever stands for an author stays visible without commits of his own.
with contributors as (
    select * from {{ source('raw', 'contributors') }}
)

-- The commits are looked up by index, author by author: as a step of their own they would all be copied.
select
    id as contributor_id,
    coalesce(canonical_id, id) as person_id,
    name as contributor_name,
    email,
    username,
    profile_url,
    kind as contributor_kind
from contributors
where
    exists (
        select 1 from {{ source('raw', 'commits') }} as commits
        where commits.contributor_id = contributors.id
    )
    or exists (
        select 1 from {{ source('raw', 'contributors') }} as recorded
        inner join {{ source('raw', 'commits') }} as commits on recorded.id = commits.contributor_id
        where recorded.canonical_id = contributors.id
    )
