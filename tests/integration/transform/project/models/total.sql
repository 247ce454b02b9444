{{ config(materialized='table') }}
select coalesce(sum(commit_count), 0) as commit_count from {{ ref('per_repository') }}
