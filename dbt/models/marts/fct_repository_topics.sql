with snapshots as (
    select * from {{ ref('fct_repository_snapshots') }}
),

topics as (
    select * from {{ ref('stg_repository_topics') }}
)

select
    topics.repository_id,
    topics.topic,
    topics.topic_position
from snapshots
inner join topics on snapshots.snapshot_id = topics.snapshot_id
where snapshots.is_latest
