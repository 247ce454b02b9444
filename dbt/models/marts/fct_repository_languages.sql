with snapshots as (
    select * from {{ ref('fct_repository_snapshots') }}
),

languages as (
    select * from {{ ref('stg_repository_languages') }}
)

select
    languages.repository_id,
    languages.language,
    languages.size_bytes,
    languages.share,
    row_number() over (
        partition by languages.repository_id
        order by coalesce(languages.share, 0) desc, languages.language asc
    ) as language_rank
from snapshots
inner join languages on snapshots.snapshot_id = languages.snapshot_id
where snapshots.is_latest
