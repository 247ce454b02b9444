with fingerprints as (
    select * from {{ ref('int_fingerprints') }}
),

contributors as (
    select * from {{ ref('int_contributors') }}
)

select
    fingerprints.repository_id,
    {{ as_text('sum(fingerprints.counted)') }} || ' ' || {{ fingerprint([
        'fingerprints.identity_id', 'fingerprints.what', 'fingerprints.counted', 'fingerprints.fingerprint',
        'contributors.person_id', 'contributors.contributor_kind', 'people.contributor_kind',
    ]) }} as state
from fingerprints
left join contributors on fingerprints.identity_id = contributors.contributor_id
left join contributors as people on contributors.person_id = people.contributor_id
group by fingerprints.repository_id
