-- An extraction inserts authors before their commits, in a transaction of its own. Until the commits are
-- there nobody shall see them. An author whose commits have vanished stays visible, because a build that began
-- before they did still counts them; so does whoever stands for an author or did, also without commits of their own.
with contributors as (
    select * from {{ source('raw', 'contributors') }}
),

-- The commits are looked up by index, author by author: as a step of their own they would all be copied.
authors as (
    select
        id,
        canonical_id
    from contributors
    where
        exists (
            select 1 from {{ source('raw', 'commits') }} as commits
            where commits.contributor_id = contributors.id
        )
        or exists (
            select 1 from {{ source('raw', 'commit_trailers') }} as commit_trailers
            where commit_trailers.contributor_id = contributors.id
        )
        or id in (
            select removed_commits.contributor_id from {{ source('raw', 'removed_commits') }} as removed_commits
        )
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
    id in (select authors.id from authors)
    or id in (select authors.canonical_id from authors)
    or id in (select identity_merges.to_id from {{ source('raw', 'identity_merges') }} as identity_merges)
