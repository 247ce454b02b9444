{{ config(pre_hook="{{ drop_other_version() }}") }}

with releases as (
    select
        releases.*,
        {{ period_of('releases.released_on') }} as period_start
    from {{ ref('fct_releases') }} as releases
    where
        releases.released_on is not null
        and {{ is_within('releases.released_on') }}
        and (releases.repository_id = repository or repository is null)
)

select
    releases.period_start,
    count(*) as releases,
    count(*) filter (where releases.release_type = 'major') as major_releases,
    count(*) filter (where releases.release_type = 'minor') as minor_releases,
    count(*) filter (where releases.release_type = 'patch') as patch_releases,
    count(*) filter (where releases.release_type = 'pre_release') as pre_releases,
    count(*) filter (where releases.release_type = 'other') as other_releases,
    cast(
        percentile_cont(0.5) within group (order by releases.days_since_previous) as numeric(12, 1)
    ) as median_days_since_previous
from releases
group by releases.period_start
order by releases.period_start
