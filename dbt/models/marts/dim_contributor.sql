with contributors as (
    select * from {{ ref('stg_contributors') }}
),

authors as (
    select * from {{ ref('int_identity_commits') }}
    where git_role = 'author'
),

named as (
    select identity_id from {{ ref('int_fingerprints') }}
    where what = 'trailers'
),

contributions as (
    select * from {{ ref('fct_contributions') }}
),

recorded as (
    select
        contributor_id,
        identity_id
    from authors
    {{ union_distinct() }}
    select
        contributors.person_id as contributor_id,
        named.identity_id
    from named
    inner join contributors on named.identity_id = contributors.contributor_id
),

identities as (
    select
        contributor_id,
        cast(count(*) as bigint) as identities
    from recorded
    group by contributor_id
),

people as (
    select
        identities.contributor_id,
        identities.identities
    from identities
    where exists (
        select 1 from contributions
        where contributions.contributor_id = identities.contributor_id
    )
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
