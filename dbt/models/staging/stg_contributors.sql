-- An extraction inserts authors before their commits, in a transaction of its own. Until the commits are
-- there nobody shall see them. Whoever stands for an author stays visible without commits of his own.
with contributors as (
    select * from {{ source('raw', 'contributors') }}
),

commits as (
    select * from {{ source('raw', 'commits') }}
)

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
        select 1 from commits
        where commits.contributor_id = contributors.id
    )
    or exists (
        select 1 from contributors as recorded
        inner join commits on recorded.id = commits.contributor_id
        where recorded.canonical_id = contributors.id
    )
