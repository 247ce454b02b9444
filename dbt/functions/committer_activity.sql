{{ config(pre_hook="{{ drop_other_version() }}") }}

-- A committer is a person, too: the identity that stands for the one that committed.
with committed as (
    select
        recorded.contributor_id,
        {{ chosen_day('commits') }} as activity_day,
        authors.contributor_id = recorded.contributor_id as is_own
    from {{ ref('fct_commits') }} as commits
    inner join {{ ref('dim_identity') }} as recorded on commits.committer_id = recorded.identity_id
    inner join {{ ref('dim_identity') }} as authors on commits.author_id = authors.identity_id
    inner join {{ ref('dim_identity') }} as people on recorded.contributor_id = people.identity_id
    where {{ is_chosen('commits', 'people', 'identity_kind') }}
),

counted as (
    select
        committed.contributor_id,
        count(*) as commits,
        count(*) filter (where not committed.is_own) as commits_of_others,
        min(committed.activity_day) as first_day,
        max(committed.activity_day) as last_day
    from committed
    where {{ is_within('committed.activity_day') }}
    group by committed.contributor_id
)

select
    counted.contributor_id,
    people.identity_name as committer_name,
    people.identity_kind as committer_kind,
    counted.commits,
    counted.commits_of_others,
    counted.first_day,
    counted.last_day
from counted
inner join {{ ref('dim_identity') }} as people on counted.contributor_id = people.identity_id
order by counted.commits desc, counted.contributor_id asc
