-- After fct_commits, so that a repository that comes while a build runs is here before its commits are:
-- depends_on: {{ ref('fct_commits') }}
with repositories as (
    select * from {{ ref('stg_repositories') }}
),

snapshots as (
    select * from {{ ref('fct_repository_snapshots') }}
),

languages as (
    select * from {{ ref('fct_repository_languages') }}
)

select
    repositories.repository_id,
    repositories.repository_name,
    repositories.url,
    repositories.host,
    repositories.default_branch,
    repositories.state,
    repositories.last_processed_at,
    repositories.created_at,
    snapshots.host_id,
    snapshots.full_name,
    snapshots.license_spdx,
    languages.language as main_language,
    snapshots.visibility,
    snapshots.is_archived,
    snapshots.is_fork,
    snapshots.parent_full_name,
    snapshots.last_seen_at as metadata_seen_at
from repositories
left join snapshots on repositories.repository_id = snapshots.repository_id and snapshots.is_latest
left join languages on repositories.repository_id = languages.repository_id and languages.language_rank = 1
