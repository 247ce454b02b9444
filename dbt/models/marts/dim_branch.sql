with branches as (
    select * from {{ ref('stg_refs') }}
    where ref_kind = 'branch'
),

repositories as (
    select * from {{ ref('dim_repository') }}
),

commits as (
    select * from {{ ref('fct_commits') }}
)

select
    branches.repository_id,
    branches.ref_id as branch_id,
    branches.ref_name as branch_name,
    coalesce(branches.ref_name = repositories.default_branch, false) as is_default,
    commits.in_default_branch as is_merged,
    branches.commit_hash,
    commits.contributor_id,
    commits.activity_at as last_commit_at,
    commits.commit_day as last_commit_day
from branches
inner join repositories on branches.repository_id = repositories.repository_id
inner join commits
    on
        branches.repository_id = commits.repository_id
        and branches.commit_hash = commits.commit_hash
