with fingerprints as (
    select * from {{ ref('int_fingerprints') }}
),

identities as (
    select * from {{ ref('stg_identities') }}
),

identity_commits as (
    select * from {{ ref('int_identity_commits') }}
),

counted as (
    select
        identity_id,
        cast(sum(authored_commits) as bigint) as authored_commits,
        cast(sum(committed_commits) as bigint) as committed_commits
    from identity_commits
    group by identity_id
),

-- Who stands for somebody that commits or trailers name, and whoever these name.
named as (
    select identity_id from counted
    {{ union_distinct() }}
    select identity_id
    from fingerprints
    where what = 'trailers' and identity_id <> 0
),

people as (
    select identities.person_id as identity_id
    from named
    inner join identities on named.identity_id = identities.identity_id
    {{ union_distinct() }}
    select identity_id from named
)

select
    identities.identity_id,
    identities.person_id as contributor_id,
    identities.identity_name,
    identities.email,
    identities.identity_kind,
    coalesce(counted.authored_commits, 0) as authored_commits,
    coalesce(counted.committed_commits, 0) as committed_commits
from people
inner join identities on people.identity_id = identities.identity_id
left join counted on identities.identity_id = counted.identity_id
