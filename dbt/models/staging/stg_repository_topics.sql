with topics as (
    select * from {{ source('raw', 'repository_topics') }}
)

select
    snapshot_id,
    repository_id,
    topic,
    position as topic_position
from topics
