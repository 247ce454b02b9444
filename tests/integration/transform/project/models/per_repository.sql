{{ config(materialized='table') }}
select repository_id, count(*) as commit_count
from {{ source('raw', 'commits') }}
group by repository_id
