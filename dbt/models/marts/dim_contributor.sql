with contributors as (
    select * from {{ ref('stg_contributors') }}
),

commits as (
    select * from {{ ref('fct_commits') }}
),

authors as (
    select
        contributor_id,
        author_id
    from commits
    group by contributor_id, author_id
),

people as (
    select
        contributor_id,
        cast(count(*) as bigint) as identities
    from authors
    group by contributor_id
)

select
    people.contributor_id,
    contributors.contributor_name,
    contributors.email,
    contributors.username,
    contributors.profile_url,
    contributors.contributor_kind,
    people.identities
from people
inner join contributors on people.contributor_id = contributors.contributor_id
