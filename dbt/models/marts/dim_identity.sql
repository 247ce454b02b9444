with commits as (
    select * from {{ ref('fct_commits') }}
),

trailers as (
    select * from {{ ref('stg_commit_trailers') }}
),

identities as (
    select * from {{ ref('stg_identities') }}
),

-- Apart, so that each reads the commits once and sums a column alone.
authors as (
    select
        author_id as identity_id,
        cast(count(*) as bigint) as authored_commits
    from commits
    group by author_id
),

committers as (
    select
        committer_id as identity_id,
        cast(count(*) as bigint) as committed_commits
    from commits
    group by committer_id
),

-- Who stands for somebody that commits or trailers name, and whoever these name.
named as (
    select identity_id from authors
    union distinct
    select identity_id from committers
    union distinct
    select trailers.named_id as identity_id
    from trailers
    inner join commits
        on
            trailers.repository_id = commits.repository_id
            and trailers.commit_hash = commits.commit_hash
    where trailers.named_id is not null
),

people as (
    select identities.person_id as identity_id
    from named
    inner join identities on named.identity_id = identities.identity_id
    union distinct
    select identity_id from named
)

select
    identities.identity_id,
    identities.person_id as contributor_id,
    identities.identity_name,
    identities.email,
    identities.identity_kind,
    coalesce(authors.authored_commits, 0) as authored_commits,
    coalesce(committers.committed_commits, 0) as committed_commits
from people
inner join identities on people.identity_id = identities.identity_id
left join authors on identities.identity_id = authors.identity_id
left join committers on identities.identity_id = committers.identity_id
