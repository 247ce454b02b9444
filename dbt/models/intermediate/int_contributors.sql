-- Whoever asks after fct_commits which person somebody is asks here, so that one build has one answer: identities may
-- be joined and told apart while it runs.
-- depends_on: {{ ref('fct_commits') }}
select
    contributor_id,
    person_id,
    contributor_kind
from {{ ref('stg_contributors') }}
