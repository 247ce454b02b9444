with tags as (
    select * from {{ ref('stg_refs') }}
    where ref_kind = 'tag'
),

commits as (
    select * from {{ ref('fct_commits') }}
),

released as (
    select
        tags.repository_id,
        tags.ref_id as release_id,
        tags.ref_name as tag_name,
        {{ release_type('tags.ref_name') }} as release_type,
        tags.commit_hash,
        commits.in_default_branch,
        commits.committed_day as released_on,
        row_number() over (
            partition by tags.repository_id, case when commits.committed_day is null then 1 else 0 end
            order by commits.committed_day, commits.committed_at, tags.ref_name
        ) as place
    from tags
    inner join commits
        on
            tags.repository_id = commits.repository_id
            and tags.commit_hash = commits.commit_hash
)

select
    released.repository_id,
    released.release_id,
    released.tag_name,
    released.release_type,
    released.commit_hash,
    released.in_default_branch,
    released.released_on,
    {{ days_between('before.released_on', 'released.released_on') }} as days_since_previous
from released
left join released as before
    on
        released.repository_id = before.repository_id
        and released.place = before.place + 1
        and released.released_on is not null
        and before.released_on is not null
